/** Small calls with a load between each two: each takes memory of its own, as if it were many. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { freshFile, patchOf } from '../support/files.ts';

it('wait in thousands before the queue is full, and leave room for a long one', async () => {
  const provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store', { Overflow: 'reject' });
  await provider.ready();
  const appended: Promise<void>[] = [];
  const loaded: Promise<unknown>[] = [];
  for (let clock = 1; clock <= 4000; clock++) {
    appended.push(provider.appendPatch(patchOf(clock), clock));
    loaded.push(provider.loadSnapshot());
  }
  appended.push(provider.appendPatch(new Uint8Array(100_000), 4001));
  const settled = await Promise.allSettled(appended);
  expect(settled.filter(({ status }) => status === 'rejected').length).toBe(0);
  await Promise.all(loaded);
  expect((await provider.loadPatchesSince(0)).length).toBe(4001);

  // what the small ones have taken serves again
  for (let clock = 1; clock <= 200; clock++)
    appended.push(provider.appendPatch(new Uint8Array(100_000), 10_000 + clock));
  for (let clock = 1; clock <= 4000; clock++) {
    appended.push(provider.appendPatch(patchOf(clock), 20_000 + clock));
    loaded.push(provider.loadSnapshot());
  }
  await Promise.all([...appended, ...loaded]);
  expect((await provider.loadPatchesSince(0)).length).toBe(8201);
  expect(provider.statistics().Worker.PendingBytes).toBe(0);
  await provider.close();
});
