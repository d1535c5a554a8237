/** What other programs give and store: texts that are no Unicode, numbers that are none of JavaScript's. */
import { DatabaseSync } from 'node:sqlite';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { freshFile, patchOf } from '../support/files.ts';

it('stores whose names differ in halves of surrogate pairs are one store, whose patches are all kept', async () => {
  const file = freshFile();
  const [first, second] = ['note 😀', 'note 🥑'].map(
    (name) => new SDS_DesktopPersistenceProvider(file, name.slice(0, 6)),
  );
  await first?.appendPatch(patchOf('one'), 1);
  await second?.appendPatch(patchOf('two'), 1);
  expect(await first?.loadPatchesSince(0)).toEqual([patchOf('one'), patchOf('two')]);
  expect(await second?.loadPatchesSince(0)).toEqual(await first?.loadPatchesSince(0));
  await first?.close();
  await second?.close();
});

it('numbers beyond 2^53, as the synchronous provider stores them, are loaded in order', async () => {
  const file = freshFile();
  const provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await provider.appendPatch(patchOf(0), 1);
  await provider.flush();
  const other = new DatabaseSync(file);
  const insert = other.prepare('INSERT INTO patches (store_id, clock, data) VALUES (?, ?, ?)');
  // two of them are one and the same number in JavaScript
  for (let i = 1; i <= 40; i++) insert.run('store', 2n ** 60n + BigInt(i), patchOf(i));
  other.close();
  expect(await provider.loadPatchesSince(0)).toEqual(Array.from({ length: 41 }, (_, i) => patchOf(i)));
  await expect(provider.loadStore()).rejects.toMatchObject({
    code: 'database-corrupt',
    message: expect.stringContaining(String(2n ** 60n + 40n)),
  });
  await provider.close();
});
