/** Stores that are copied from one file into another. */
import { join } from 'node:path';
import { copyStores, SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { freshFile, freshFolder, patchOf, rowsOf } from '../support/files.ts';
import { makeStoreFile } from '../support/store-files.ts';

it('all of them, into a file that is made', async () => {
  const dbPath = makeStoreFile(freshFile(), { patches: 1000, patchBytes: 20_000 });
  const target = join(freshFolder(), 'copy.db');
  expect(await copyStores(dbPath, target)).toMatchObject({ Stores: 2, Snapshots: 1, Patches: 2000, Values: 3 });
  expect(rowsOf(target)).toEqual(rowsOf(dbPath));
});

it('some of them, into a file that a provider has open, without the values', async () => {
  const dbPath = makeStoreFile(freshFile());
  const target = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(target, 'mine');
  await provider.appendPatch(patchOf('mine'), 1);
  await copyStores(dbPath, target, { Stores: ['tasks'], Values: false });
  await provider.appendPatch(patchOf('mine'), 2);
  const { patches, snapshots, blobs } = rowsOf(target);
  expect(patches.filter(({ store_id }) => store_id === 'tasks')).toHaveLength(30);
  expect(patches.filter(({ store_id }) => store_id === 'mine')).toHaveLength(2);
  expect([...snapshots, ...blobs]).toEqual([]);
});

it('a store that is there already is replaced only if asked for, and else nothing is copied', async () => {
  const dbPath = makeStoreFile(freshFile());
  const target = makeStoreFile(freshFile(), {
    sql: "DELETE FROM patches; INSERT INTO patches VALUES ('tasks', 99, x'00')",
  });
  const before = rowsOf(target);
  await expect(copyStores(dbPath, target)).rejects.toMatchObject({ code: 'file-exists' });
  expect(rowsOf(target)).toEqual(before);
  await copyStores(dbPath, target, { Overwrite: true });
  const after = rowsOf(target);
  expect(after.patches).toEqual(rowsOf(dbPath).patches);
  // each value is now used by the stores of both files
  expect(after.blobs.map(({ ref_count }) => ref_count)).toEqual([2, 2, 2]);
});

it('names of any kind', async () => {
  const dbPath = freshFile();
  const names = ['', 'a\0b', 'a\0c', 'quote\'"', '😀', 'line\nbreak'];
  for (const name of names) {
    await using provider = new SDS_DesktopPersistenceProvider(dbPath, name);
    await provider.appendPatch(patchOf(name), 1);
    await provider.saveSnapshot(patchOf(name), 1);
  }
  const target = join(freshFolder(), 'copy.db');
  await copyStores(dbPath, target, { Stores: names });
  for (const name of names) {
    await using provider = new SDS_DesktopPersistenceProvider(target, name);
    expect(await provider.loadPatchesSince(0)).toEqual([patchOf(name)]);
    expect(await provider.loadSnapshot()).toEqual(patchOf(name));
  }
});

it('a store that the source does not have is an error', async () => {
  const dbPath = makeStoreFile(freshFile());
  const target = join(freshFolder(), 'copy.db');
  await expect(copyStores(dbPath, target, { Stores: ['tasks', 'no such'] })).rejects.toThrow('no store "no such"');
});
