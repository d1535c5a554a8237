/** The table of records: a file has it when a record is saved, and not before. */
import { DatabaseSync } from 'node:sqlite';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { ExtendedReference } from '../support/extended-reference.ts';
import { freshFile, patchOf, rowsOf } from '../support/files.ts';
import { ReferenceProvider } from '../support/reference-provider.ts';

/** What lies in the schema of a file, word by word. */
function schemaOf(file: string): unknown[] {
  const database = new DatabaseSync(file);
  const schema = database.prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY rowid').all();
  database.close();
  return schema;
}

function change(file: string, sql: string): void {
  const database = new DatabaseSync(file);
  database.exec(sql);
  database.close();
}

it('a file in which no record was saved is of the same schema as the synchronous provider’s', async () => {
  const [file, theirs] = [freshFile(), freshFile()];
  await new ReferenceProvider(theirs, 'store').close();
  {
    await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
    void provider.appendPatch(patchOf(1), 1);
    expect(await provider.compactStore(patchOf('snapshot'), await provider.loadStore())).toBe(true);
    expect(await provider.listStores()).toEqual(['store']);
    expect([await provider.loadRecord('key'), await provider.loadRecords()]).toEqual([undefined, []]);
    await Promise.all([provider.removeRecord('key'), provider.removeRecords(''), provider.removeStore()]);
  }
  expect(schemaOf(file)).toEqual(schemaOf(theirs));
});

it('a file with records goes on being the synchronous provider’s, which leaves them alone', async () => {
  const file = freshFile();
  {
    await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await provider.saveRecord('key', patchOf('record'));
  }
  const theirs = new ReferenceProvider(file, 'store');
  await theirs.appendPatch(patchOf(1), 1);
  await theirs.close();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  expect(await provider.loadRecord('key')).toEqual(patchOf('record'));
  expect(await provider.loadPatchesSince(0)).toEqual([patchOf(1)]);
});

it('the first record of a file is saved although its batch is rolled back and carried out call by call', async () => {
  const file = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store', { VerifyValues: true });
  await provider.ready();
  const saved = provider.saveRecord('key', patchOf('record'));
  const again = provider.saveRecord('key', patchOf('second'));
  const bad = provider.saveValue('0'.repeat(64), patchOf('another value'));
  const removed = provider.removeRecords('nothing begins so');
  await expect(bad).rejects.toMatchObject({ code: 'invalid-argument' });
  await Promise.all([saved, again, removed]);
  expect(await provider.loadRecord('key')).toEqual(patchOf('second'));
});

it('finds the records of another process that was the first to save one', async () => {
  const file = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  expect(await provider.loadRecords()).toEqual([]);
  const theirs = new ExtendedReference(file, 'store');
  await theirs.saveRecord('theirs', patchOf('theirs'));
  await theirs.close();
  await provider.saveRecord('ours', patchOf('ours'));
  expect((await provider.loadRecords()).map(({ Key }) => Key)).toEqual(['theirs', 'ours']);
});

/** Tables of the name `sds_records` that are not ours. */
const strange = [
  'CREATE TABLE sds_records (id INTEGER PRIMARY KEY, text TEXT)',
  'CREATE TABLE SDS_Records (store_id TEXT NOT NULL, key TEXT NOT NULL, data BLOB, PRIMARY KEY (store_id, key))',
  'CREATE TABLE sds_records (store_id TEXT NOT NULL, key TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (store_id))',
  "CREATE TABLE sds_records (store_id TEXT NOT NULL, key TEXT NOT NULL, data BLOB NOT NULL CHECK (data <> x'00'), PRIMARY KEY (store_id, key))",
  'CREATE TABLE sds_records (store_id TEXT NOT NULL, key TEXT NOT NULL COLLATE NOCASE, data BLOB NOT NULL, PRIMARY KEY (store_id, key))',
  'CREATE TABLE sds_records (store_id TEXT NOT NULL, key TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (store_id, key)) WITHOUT ROWID',
  'CREATE VIEW sds_records AS SELECT store_id, store_id AS key, data FROM snapshots',
];

it.each(strange)('refuses a file that has something else in their place: %s', async (sql) => {
  const file = freshFile();
  await new ReferenceProvider(file, 'store').close();
  change(file, sql);
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await expect(provider.loadSnapshot()).rejects.toMatchObject({ code: 'schema-mismatch' });
});

it('a table `records` of the program itself is none of ours, and stays as it is', async () => {
  const file = freshFile();
  change(file, "CREATE TABLE records (id INTEGER PRIMARY KEY, text TEXT); INSERT INTO records VALUES (1, 'theirs')");
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await provider.saveRecord('key', patchOf('record'));
  expect(await provider.loadRecords()).toEqual([{ Key: 'key', Data: patchOf('record') }]);
  await provider.removeStore();
  change(file, "INSERT INTO records VALUES (2, 'theirs as well')");
});

it('a table of the name that comes later, and is not ours, is neither read nor written', async () => {
  const file = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await provider.appendPatch(patchOf(1), 1);
  change(file, strange[1] ?? '');
  const calls = [
    () => provider.saveRecord('key', patchOf('record')),
    () => provider.loadRecord('key'),
    () => provider.loadRecords(),
    () => provider.removeStore(),
    () => provider.listStores(),
  ];
  for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'schema-mismatch' });
  const beside = [provider.appendPatch(patchOf(2), 2), provider.saveRecord('key', patchOf('record'))];
  const outcomes = await Promise.allSettled(beside);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  change(file, 'DROP TABLE SDS_Records');
  await provider.saveRecord('key', patchOf('record'));
  expect(await provider.loadRecord('key')).toEqual(patchOf('record'));
  expect(await provider.loadPatchesSince(0)).toHaveLength(2);
});

// U+FFFF is left out: SQLite takes it for U+FFFD in these encodings
it.each(['UTF-16le', 'UTF-16be'])(
  'keys, prefixes and names of stores are the same in a file in %s',
  async (encoding) => {
    const file = freshFile();
    change(file, `PRAGMA encoding = '${encoding}'; CREATE TABLE of_another_program (a)`);
    const keys = [
      'a',
      'ab',
      'b',
      'ä',
      '\uffee',
      '\uff01',
      '\uff01x',
      '\u01ff',
      'ā',
      '😀',
      '😁',
      '\u{10ffff}',
      'a\0',
      'a\0b',
    ];
    await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
    for (const key of keys) void provider.saveRecord(key, patchOf(key));
    for (const prefix of ['', ...keys]) {
      const found = (await provider.loadRecords(prefix)).map(({ Key, Data }) => [Key, Data]);
      const wanted = keys.filter((key) => key.startsWith(prefix)).map((key) => [key, patchOf(key)]);
      expect(found, JSON.stringify(prefix)).toEqual(wanted);
    }
    void provider.removeRecords('a');
    expect(await provider.loadRecords('a')).toEqual([]);
    expect(await provider.loadRecords()).toHaveLength(keys.filter((key) => !key.startsWith('a')).length);
    await using another = new SDS_DesktopPersistenceProvider(file, '\u{10ffff}');
    void another.appendPatch(patchOf(1), 1);
    await using third = new SDS_DesktopPersistenceProvider(file, '\uffee\0');
    void third.saveSnapshot(patchOf('snapshot'), 1);
    expect(await third.listStores()).toEqual(['store', '\uffee\0', '\u{10ffff}']);
    expect(rowsOf(file).records.length).toBeGreaterThan(0);
  },
);
