/** A provider that is made while calls of another one on its file are on their way: its first calls are its own. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { freshFile, patchOf, rowsOf } from '../support/files.ts';

const ROUNDS = 200;

it('what it appends at once is stored under its own store, whatever batch is open', async () => {
  const file = freshFile();
  const first = new SDS_DesktopPersistenceProvider(file, 'first');
  onTestFinished(() => first.close());
  await first.ready();
  const joined: SDS_DesktopPersistenceProvider[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    // nobody waits for it: its batch is open, and the worker comes to it when it wakes
    first.appendPatch(patchOf(round), round).catch(() => {});
    const next = new SDS_DesktopPersistenceProvider(file, `joined ${round}`);
    joined.push(next);
    await next.appendPatch(patchOf(`of ${round}`), 1);
  }
  await Promise.all(joined.map((provider) => provider.close()));
  await first.flush();
  const stores = new Map<unknown, number>();
  for (const { store_id: store } of rowsOf(file).patches) stores.set(store, (stores.get(store) ?? 0) + 1);
  const wanted = Array.from({ length: ROUNDS }, (_, i) => [`joined ${i + 1}`, 1] as const);
  expect(Object.fromEntries(stores)).toEqual(Object.fromEntries([['first', ROUNDS], ...wanted]));
});
