/** Records are part of their stores: in copies, backups, compacted files, and in what is told of a file. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  backupDatabase,
  compactDatabase,
  copyStores,
  describeDatabase,
  restoreDatabase,
  SDS_DesktopPersistenceProvider,
  verifyDatabase,
} from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { compareStores } from '../../src/worker/operations/copying/compare.ts';
import type { Reader, Source, StorePrint } from '../../src/worker/operations/copying/ends.ts';
import { makeOddFile } from '../support/copied-files.ts';
import { freshFile, freshFolder, patchOf, rowsOf } from '../support/files.ts';
import { makeStoreFile, recordsTable } from '../support/store-files.ts';

const newFile = () => join(freshFolder(), 'copy.db');
/** A file whose stores `notes` and `only records` have some, with holes where others were, not in the order of their keys. */
const fileWithRecords = (more = '') =>
  makeStoreFile(freshFile(), {
    sql: `${recordsTable}
      INSERT INTO sds_records VALUES ('gone', 'a', x'00'), ('notes', 'c', x'01'), ('only records', 'z', x''), ('notes', 'a', x'0203');
      INSERT INTO sds_records VALUES ('gone', 'b', x'00'), ('only records', 'b', x'040506'), ('notes', 'b', x'07');
      DELETE FROM sds_records WHERE store_id = 'gone'; ${more}`,
  });

const recordsIn = (file: string) => rowsOf(file).records.map(({ store_id, key, data }) => `${store_id} ${key} ${data}`);
const hasTable = (file: string) => {
  const database = new DatabaseSync(file);
  const found = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'sds_records'").all();
  database.close();
  return found.length > 0;
};

describe('copied', () => {
  it('with their stores, in their order, a store that has nothing else as well', async () => {
    const source = fileWithRecords();
    const target = newFile();
    expect(await copyStores(source, target)).toMatchObject({ Stores: 3, Snapshots: 1, Patches: 60, Records: 5 });
    expect(rowsOf(target)).toEqual(rowsOf(source));
    expect(recordsIn(target)).toEqual([
      'notes c 01',
      'notes a 0203',
      'notes b 07',
      'only records z ',
      'only records b 040506',
    ]);
  });

  it('of any kind: odd names and keys, large ones, and more of a store than are compared together', async () => {
    const source = makeOddFile(freshFile());
    const target = newFile();
    const { Records } = await copyStores(source, target);
    expect(Records).toBeGreaterThan(20_000); // which is a page
    const [found, wanted] = [rowsOf(target), rowsOf(source)];
    expect(found.records.length).toBe(Records);
    // not by `toEqual`, which would take minutes to tell how lists of that length differ
    expect(JSON.stringify(found) === JSON.stringify(wanted)).toBe(true);
  });

  it('into a file that has records of others: each store keeps its order', async () => {
    const source = fileWithRecords();
    const target = freshFile();
    {
      await using provider = new SDS_DesktopPersistenceProvider(target, 'mine');
      for (const key of ['y', 'x']) await provider.saveRecord(key, patchOf(key));
      await copyStores(source, target, { Values: false });
      await provider.saveRecord('w', patchOf('w'));
      expect((await provider.loadRecords()).map(({ Key }) => Key)).toEqual(['y', 'x', 'w']);
    }
    expect(recordsIn(target).filter((line) => !line.startsWith('mine'))).toEqual(recordsIn(source));
  });

  it('a target gets their table only if there is one to copy', async () => {
    const [none, some] = [newFile(), newFile()];
    await copyStores(fileWithRecords(), none, { Stores: ['tasks'] });
    await copyStores(fileWithRecords(), some, { Stores: ['tasks', 'only records'] });
    expect([hasTable(none), hasTable(some)]).toEqual([false, true]);
  });

  it('a store that is there by its records alone is replaced only if asked for, and then nothing of it is left', async () => {
    const target = freshFile();
    {
      await using provider = new SDS_DesktopPersistenceProvider(target, 'tasks');
      await provider.saveRecord('old', patchOf('old'));
    }
    const before = rowsOf(target);
    await expect(copyStores(fileWithRecords(), target)).rejects.toMatchObject({ code: 'file-exists' });
    expect(rowsOf(target)).toEqual(before);
    await copyStores(fileWithRecords(), target, { Overwrite: true });
    expect(rowsOf(target)).toEqual(rowsOf(fileWithRecords()));
  });

  it.each([
    ['a text in the place of bytes', "INSERT INTO sds_records VALUES ('odd', 'two', 'text')"],
    ['bytes in the place of a key', "INSERT INTO sds_records VALUES ('odd', x'74776F', x'00')"],
    ['bytes in the place of a name', "INSERT INTO sds_records VALUES (x'6F6464', 'two', x'00')"],
  ])('%s: nothing is copied, unless it is to be salvaged; then that is left out', async (_, odd) => {
    const usual = "INSERT INTO sds_records VALUES ('odd', 'one', x'01')";
    const source = fileWithRecords(`${usual}; ${odd}`);
    const target = newFile();
    await expect(copyStores(source, target)).rejects.toMatchObject({
      code: 'database-corrupt',
      message: expect.stringContaining('no provider writes'),
    });
    expect(existsSync(target)).toBe(false);
    await copyStores(source, target, { Salvage: true });
    expect(rowsOf(target)).toEqual(rowsOf(fileWithRecords(usual)));
  });
});

it('kept in backups, in restored and in compacted files, with their order', async () => {
  const source = fileWithRecords();
  const wanted = rowsOf(source);
  const [backup, restored] = [newFile(), newFile()];
  await backupDatabase(source, backup);
  await restoreDatabase(backup, restored);
  await compactDatabase(source);
  for (const file of [backup, restored, source]) expect(rowsOf(file)).toEqual(wanted);
  await using provider = new SDS_DesktopPersistenceProvider(source, 'only records');
  await provider.saveRecord('a', patchOf('a'));
  expect((await provider.loadRecords()).map(({ Key }) => Key)).toEqual(['z', 'b', 'a']);
});

it('told of a file: how many, and how many bytes, of each store and of all', async () => {
  const file = fileWithRecords();
  const { Stores, Records } = await describeDatabase(file);
  expect(
    Stores?.map(({ StoreId, Patches, Records, RecordBytes }) => ({ StoreId, Patches, Records, RecordBytes })),
  ).toEqual([
    { StoreId: 'notes', Patches: 30, Records: 3, RecordBytes: 4 },
    { StoreId: 'only records', Patches: 0, Records: 2, RecordBytes: 3 },
    { StoreId: 'tasks', Patches: 30, Records: 0, RecordBytes: 0 },
  ]);
  expect(Records).toEqual({ Count: 5, Bytes: 7 });
  expect((await describeDatabase(file, { Quick: true })).Records).toBeUndefined();
  expect((await describeDatabase(makeStoreFile(freshFile()))).Records).toEqual({ Count: 0, Bytes: 0 });
});

describe('verified', () => {
  it('nothing is found in a file with records, and they are counted', async () => {
    const { Findings, Checked } = await verifyDatabase(fileWithRecords());
    expect(Findings).toEqual([]);
    expect(Checked).toMatchObject({ Patches: 60, Records: 5 });
  });

  it.each([
    [
      'wrong-type',
      'rows that no provider writes',
      "INSERT INTO sds_records VALUES ('a', 'b', 'text'), (x'61', 'b', x'00')",
      2,
    ],
    ['schema', 'a table of another program', 'DROP TABLE sds_records; CREATE TABLE sds_records (other TEXT)', 1],
    ['schema', 'a trigger on it', 'CREATE TRIGGER t AFTER INSERT ON sds_records BEGIN SELECT 1; END', 1],
  ])('%s: %s', async (code, _, sql, count) => {
    const { Findings } = await verifyDatabase(fileWithRecords(sql));
    expect(Findings.map(({ Code, Count }) => [Code, Count])).toEqual([[code, count]]);
  });
});

it.each([
  ['their number', { count: 2 }, '2 records, not 3'],
  ['their bytes', { bytes: 5 }, '5 bytes of records, not 6'],
  ['what they are, or their order', { digest: 8n }, '8 as the digest of its records, not 9'],
])('a copy that differs in %s is no copy', async (_, difference, message) => {
  const wanted: StorePrint = {
    snapshots: { count: 1, bytes: 2, digest: 9n },
    patches: { count: 1, bytes: 2, digest: 9n },
    records: { count: 3, bytes: 6, digest: 9n },
  };
  const readerOf = (print: StorePrint) => ({ place: 'file.db', prints: async () => new Map([['store', print]]) });
  const source = { reader: readerOf(wanted) } as unknown as Source;
  const compare = (print: StorePrint) =>
    compareStores(source, readerOf(print) as unknown as Reader, new Map([['store', wanted]]));
  await compare(wanted);
  const records = { ...wanted.records, ...difference };
  await expect(compare({ ...wanted, records })).rejects.toThrow(message);
});
