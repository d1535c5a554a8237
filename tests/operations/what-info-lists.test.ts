/** What `describeDatabase` lists of a file that others have written to. */
import { statSync, utimesSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describeDatabase, verifyDatabase } from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { command } from '../support/command-line.ts';
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

it('what lies in a log that can not be taken in yet counts as well: when it was written, and how large the whole is', async () => {
  const dbPath = makeStoreFile(freshFile());
  utimesSync(dbPath, 1, 1);
  const program = new DatabaseSync(dbPath);
  program.exec('PRAGMA wal_autocheckpoint = 0; UPDATE patches SET data = zeroblob(20000)');
  program.exec('DELETE FROM patches');
  const { Bytes, ModifiedAt, Pages, PageBytes, FreePages } = await describeDatabase(dbPath);
  expect(Bytes).toBe(statSync(dbPath).size);
  expect(FreePages * PageBytes).toBeGreaterThan(Bytes);
  expect(ModifiedAt).toBe(new Date(statSync(`${dbPath}-wal`).mtimeMs).toISOString());
  expect((await verifyDatabase(dbPath)).Checked.Bytes).toBe(Pages * PageBytes);
  const { stdout } = await command(['info', dbPath]);
  expect(stdout).toMatch(/size +[\d.]+ kB; 1\.\d MB with its log, of which 1\.\d MB free/);
  program.close();
});

it('progress ends with all, also where rows with higher numbers are left', async () => {
  const dbPath = makeStoreFile(freshFile(), { sql: 'DELETE FROM patches WHERE clock < 20' });
  const told: string[] = [];
  await describeDatabase(dbPath, { OnProgress: ({ Done, Total }) => told.push(`${Done} of ${Total}`) });
  expect(told.at(-1)).toBe('32 of 32');
});
