/** Whether a patch was lost is seen as the store was when it came, although the same transaction has deleted from the store since. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { patchOf } from '../support/files.ts';
import { describeOnPostgresql, postgresql, proxiedPlace } from '../support/postgresql.ts';

type Provider = SDS_DesktopPersistenceProvider;

/** Where numbers 1 and 20 are taken. */
async function opened(url: string): Promise<Provider> {
  const provider = new SDS_DesktopPersistenceProvider(url, 'store');
  onTestFinished(() => provider.close());
  await Promise.all([provider.appendPatch(patchOf('first'), 1), provider.appendPatch(patchOf('twentieth'), 20)]);
  return provider;
}

describeOnPostgresql('patches, and what deletes them in the same transaction', () => {
  const ways: [string, (provider: Provider) => Promise<void>, string[]][] = [
    ['the removal of their store', (provider) => provider.removeStore(), []],
    ['a prune', (provider) => provider.prunePatches(10), ['twentieth']],
  ];

  it.each(ways)('%s: one that was there is not taken for one that comes later', async (_, removes, left) => {
    const provider = await opened(await postgresql.freshPlace());
    await Promise.all([
      provider.appendPatch(patchOf('first'), 1),
      provider.appendPatch(patchOf(2), 2),
      removes(provider),
      provider.appendPatch(patchOf('second'), 1),
    ]);
    expect(provider.ClockCollisions).toBe(0);
    expect(await provider.loadPatchesSince(0)).toEqual(['second', ...left].map(patchOf));
  });

  it('nor is one where the commit is found out later, because its answer was lost', async () => {
    const { proxy, url } = await proxiedPlace();
    const provider = await opened(url);
    const lost = proxy.loseAnswerTo({ COMMIT: 'COMMIT' });
    await Promise.all([
      provider.appendPatch(patchOf('first'), 1),
      provider.appendPatch(patchOf('other bytes'), 20),
      provider.prunePatches(10),
      provider.appendPatch(patchOf('second'), 1),
    ]);
    await lost;
    await provider.flush();
    expect(provider.ClockCollisions).toBe(1);
    expect(await provider.loadPatchesSince(0)).toEqual(['second', 'twentieth'].map(patchOf));
  });

  it.each(ways)('%s: those that were lost are told, each once', async (_, removes, left) => {
    const provider = await opened(await postgresql.freshPlace());
    await Promise.all([
      provider.appendPatch(patchOf('other bytes'), 1),
      provider.appendPatch(patchOf(2), 2),
      provider.appendPatch(patchOf('other bytes'), 20),
      removes(provider),
    ]);
    expect(provider.ClockCollisions).toBe(2);
    expect(await provider.loadPatchesSince(0)).toEqual(left.map(patchOf));
  });
});
