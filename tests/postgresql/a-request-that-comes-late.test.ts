/** What a connection that was lost has sent is carried out after it was sent again over the next one: it must not be committed twice. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { patchOf } from '../support/files.ts';
import { describeOnPostgresql, postgresql, proxiedPlace, server } from '../support/postgresql.ts';

describeOnPostgresql('a request that comes late', () => {
  it('does nothing once another connection has done its work', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = new SDS_DesktopPersistenceProvider(url, 'store');
    onTestFinished(() => provider.close());
    await provider.saveValue('value', patchOf('value'));

    const held = proxy.holdBack('INTO sds_values');
    const saved = provider.saveValue('value', patchOf('value'));
    const deliver = await held;
    await saved;
    await provider.releaseValue('value');
    await deliver();

    const { blobs } = await postgresql.rowsOf(server.url(database));
    expect(blobs.map(({ ref_count }) => Number(ref_count))).toEqual([1]);
    await provider.releaseValue('value');
    expect(await provider.loadValue('value')).toBeUndefined();
  });

  it('does not give a store back that was claimed again meanwhile', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const kept = new SDS_DesktopPersistenceProvider(url, 'kept');
    const first = new SDS_DesktopPersistenceProvider(url, 'store');
    onTestFinished(() => kept.close());
    await Promise.all([kept.ready(), first.ready()]);

    const held = proxy.holdBack('DELETE FROM sds_claims');
    const closed = first.close();
    const deliver = await held;
    await closed;
    const again = new SDS_DesktopPersistenceProvider(url, 'store');
    onTestFinished(() => again.close());
    await again.appendPatch(patchOf(1), 1);
    await deliver();

    // by another line, so that this is another owner
    const other = new SDS_DesktopPersistenceProvider(server.url(database), 'store', { BusyTimeoutMs: 0 });
    onTestFinished(() => other.close());
    await expect(other.ready()).rejects.toMatchObject({ code: 'fenced' });
  });
});
