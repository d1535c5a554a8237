/** What `describeDatabase` lists of a file that others have written to. */
import { describeDatabase } from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { freshFile } from '../support/files.ts';
import { makeStoreFile, recordsTable } from '../support/store-files.ts';

it.each([
  ['patches', "(CAST(x'%' AS TEXT), 1, x'00')"],
  ['sds_records', "(CAST(x'%' AS TEXT), 'key', x'00')"],
  ['snapshots', "(CAST(x'%' AS TEXT), x'00', 1)"],
])('each store in %s, also those whose names are read alike', async (table, row) => {
  const names = ['61FE', '61FF', '73', '7A7A'];
  const rows = names.map((name) => row.replace('%', name)).join();
  const sql = `${recordsTable} DELETE FROM snapshots; INSERT INTO ${table} VALUES ${rows}`;
  const { Stores } = await describeDatabase(makeStoreFile(freshFile(), { patches: 0, sql }));
  expect(Stores?.map(({ StoreId }) => StoreId)).toEqual(['a\ufffd', 'a\ufffd', 's', 'zz'].sort());
  const each = Stores?.map(({ Patches, Records, SnapshotBytes = 0 }) => Patches + Records + SnapshotBytes);
  expect(each).toEqual([1, 1, 1, 1]);
});

it.each(['patches', 'sds_records'])('each store in %s, also those whose names are bytes', async (table) => {
  const names = ["'b'", "'d'", "x''", "x'61'", "x'62'"];
  const rows = names.map((name) => `(${name}, 1, x'00')`).join();
  const sql = `${recordsTable} DELETE FROM snapshots; INSERT INTO ${table} VALUES ${rows}`;
  const { Stores } = await describeDatabase(makeStoreFile(freshFile(), { patches: 0, sql }));
  const each = Stores?.map(({ StoreId, Patches, Records }) => [StoreId, Patches + Records]);
  expect(each?.sort()).toEqual(['', 'a', 'b', 'b', 'd'].map((name) => [name, 1]));
});
