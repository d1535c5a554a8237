/** Each kind of finding, in a file that has just that; and a sound file, in which nothing is found. */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { compactDatabase, copyStores, SDS_DesktopPersistenceProvider, verifyDatabase } from 'sds-persistence-worker';
import { YjsPersistence } from 'sds-persistence-worker/yjs';
import { expect, it } from 'vitest';
import * as Y from 'yjs';
import { freshFile } from '../support/files.ts';
import { type Contents, makeStoreFile, sha256 } from '../support/store-files.ts';

const bytes = new TextEncoder().encode('some bytes');

it('nothing in a sound file, and says what was looked at', async () => {
  // what is usual: patches below a snapshot, a value under a name that is no hash
  const sql = "INSERT INTO patches VALUES ('notes', 3, x'00'); INSERT INTO blobs VALUES ('a name', x'00', 2)";
  const dbPath = makeStoreFile(freshFile(), { sql });
  const { Findings, Checked, Sound } = await verifyDatabase(dbPath);
  expect(Findings).toEqual([]);
  expect(Sound).toBe(true);
  expect(Checked).toEqual({
    Bytes: readFileSync(dbPath).length,
    Patches: 61,
    Snapshots: 1,
    Records: 0,
    Values: 4,
    ValuesWithHash: 3,
  });
});

it('nothing in values under names of 64 bytes that are fewer characters, and so no hashes', async () => {
  const halves = ['C3', 'A9'].map((half) => `(CAST(x'${half.repeat(64)}' AS TEXT), x'00', 1)`);
  const odd = [`('${'é'.repeat(32)}', x'00', 1)`, `(char(0) || '${'a'.repeat(63)}', x'00', 1)`, ...halves];
  const dbPath = makeStoreFile(freshFile(), { sql: `INSERT INTO blobs VALUES ${odd.join()}` });
  const database = new DatabaseSync(dbPath);
  for (let i = 0; i < 6; i++) {
    const value = new Uint8Array([i]);
    database.prepare('INSERT INTO blobs VALUES (?, ?, 1)').run(sha256(value), value);
  }
  database.close();
  expect(await verifyDatabase(dbPath)).toMatchObject({ Findings: [], Checked: { Values: 13, ValuesWithHash: 9 } });
});

it('nothing in the numbers of documents, which are times and no count', async () => {
  const dbPath = freshFile();
  const documents = new YjsPersistence(dbPath, { Y });
  const notes = new Y.Doc();
  notes.on('update', (update: Uint8Array) => void documents.storeUpdate('notes', update));
  for (const word of ['one', 'two', 'three']) notes.getText('text').insert(0, word);
  await documents.flushDocument('notes');
  notes.getText('text').insert(0, 'four');
  await documents.storeUpdate('tasks', Y.encodeStateAsUpdate(notes));
  await documents.destroy();
  expect(await verifyDatabase(dbPath)).toMatchObject({ Findings: [], Sound: true, Checked: { Snapshots: 1 } });
});

it('nothing between a snapshot of number 0, which does not say what it holds, and the first patch', async () => {
  const dbPath = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(dbPath, 'notes');
  for (let i = 1; i <= 20; i++) void provider.appendPatch(bytes, i);
  await provider.saveSnapshot(bytes);
  await provider.prunePatches(15);
  await provider.flush();
  expect(await verifyDatabase(dbPath)).toMatchObject({ Findings: [], Sound: true, Checked: { Patches: 6 } });
});

const found: [string, string, Contents, number][] = [
  [
    'value-mismatch',
    'a value with other bytes than its hash says',
    { sql: `INSERT INTO blobs VALUES ('${sha256(bytes)}', x'00', 1), ('${'A'.repeat(64)}', x'01', 1)` },
    2,
  ],
  [
    'reference-count',
    'a reference count of 0, -1, 1.5 or a text',
    {
      sql: "INSERT INTO blobs VALUES ('a', x'00', 0), ('b', x'00', -1), ('c', x'00', 1.5), ('d', x'00', 'x'), ('e', x'00', 1)",
    },
    4,
  ],
  ['wrong-type', 'a patch that is a text', { sql: "INSERT INTO patches VALUES ('tasks', 31, 'text')" }, 1],
  ['wrong-type', 'a patch number that is a fraction', { sql: "INSERT INTO patches VALUES ('tasks', 30.5, x'00')" }, 1],
  ['wrong-type', 'a snapshot without a store', { sql: "INSERT INTO snapshots VALUES (NULL, x'00', 1)" }, 1],
  ['wrong-type', 'a value that is a text', { sql: "INSERT INTO blobs VALUES ('a', 'text', 1)" }, 1],
  [
    'wrong-type',
    'a snapshot that is a text, on the lowest row',
    { sql: "INSERT INTO snapshots (rowid, store_id, data, clock) VALUES (-9223372036854775808, 'a', 'text', 1)" },
    1,
  ],
  [
    'clock-range',
    'a patch number that JavaScript does not have',
    { sql: "INSERT INTO patches VALUES ('other', -9223372036854775808, x'00')" },
    1,
  ],
  [
    'patch-gap',
    'a hole in the patch numbers',
    { sql: "DELETE FROM patches WHERE store_id = 'tasks' AND clock = 20" },
    1,
  ],
  [
    'patch-gap',
    'holes in the numbers of a store, each of which counts',
    { sql: "DELETE FROM patches WHERE store_id = 'tasks' AND clock IN (7, 20, 21, 25)" },
    3,
  ],
  ['patch-gap', 'a hole after the snapshot', { sql: "DELETE FROM patches WHERE store_id = 'notes' AND clock < 13" }, 1],
  [
    'patches-without-start',
    'patches removed that no snapshot holds',
    { sql: "DELETE FROM patches WHERE store_id = 'tasks' AND clock < 5" },
    1,
  ],
  ['tables-missing', 'a table that is not there', { sql: 'DROP TABLE blobs' }, 1],
  ['schema', 'a trigger', { sql: 'CREATE TRIGGER t AFTER INSERT ON patches BEGIN SELECT 1; END' }, 1],
];

it.each(found)('%s: %s', async (code, _, contents, count) => {
  const { Findings, Sound } = await verifyDatabase(makeStoreFile(freshFile(), contents));
  expect(Sound).toBe(false);
  expect(Findings.map(({ Code }) => Code)).toEqual([code]);
  expect(Findings[0]).toMatchObject({ Count: count, Message: expect.any(String), Advice: expect.any(String) });
});

it('value-mismatch: also in a value a few rows before one that can not be read', async () => {
  const dbPath = makeStoreFile(freshFile(), { values: 0 });
  const database = new DatabaseSync(dbPath);
  const value = database.prepare('INSERT INTO blobs VALUES (?, ?, 1)');
  for (let i = 0; i < 50; i++)
    value.run(i === 10 ? sha256(bytes) : `value ${i}`, new Uint8Array(i === 40 ? 9000 : 100));
  const damaged = database.prepare("SELECT pageno FROM dbstat WHERE name = 'blobs' AND pagetype = 'overflow' LIMIT 1");
  const page = Number(damaged.get()?.pageno);
  database.close();
  const file = readFileSync(dbPath);
  file.fill(0xff, (page - 1) * 4096, (page - 1) * 4096 + 4);
  writeFileSync(dbPath, file);
  const { Findings } = await verifyDatabase(dbPath);
  expect(Findings.map(({ Code }) => Code)).toEqual(expect.arrayContaining(['unreadable', 'value-mismatch']));
});

it('unreadable: what can be counted beside it is counted all the same', async () => {
  const dbPath = makeStoreFile(freshFile(), { sql: `INSERT INTO blobs VALUES ('last', zeroblob(9000), 1)` });
  const database = new DatabaseSync(dbPath);
  const pageOf = (name: string, type: string) =>
    database.prepare('SELECT pageno FROM dbstat WHERE name = ? AND pagetype = ? LIMIT 1').get(name, type)?.pageno;
  const pages = [pageOf('snapshots', 'leaf'), pageOf('blobs', 'overflow')].map(Number);
  database.close();
  const file = readFileSync(dbPath);
  for (const page of pages) file.fill(0xff, (page - 1) * 4096, (page - 1) * 4096 + 4);
  writeFileSync(dbPath, file);
  const { Findings, Checked } = await verifyDatabase(dbPath);
  expect(Findings.map(({ Code }) => Code)).toContain('unreadable');
  expect(Checked).toMatchObject({ Snapshots: 1, Patches: 60, Values: 3, ValuesWithHash: 3 });
});

/** An entry of the index of a table now names another number than the row it stands for. */
function spoilIndex(dbPath: string): void {
  const file = readFileSync(dbPath);
  const at = file.lastIndexOf(Buffer.from('tasks'));
  file.write('tasky', at);
  writeFileSync(dbPath, file);
}

it('only what is in our tables, in a file with a table of a program’s own whose index uses a function of that program', async () => {
  const dbPath = makeStoreFile(freshFile(), { patches: 2000 });
  const program = new DatabaseSync(dbPath);
  program.function('norm', { deterministic: true }, (text) => String(text).toLowerCase());
  program.exec(
    "CREATE TABLE names (name TEXT); INSERT INTO names VALUES ('B'); CREATE INDEX by_norm ON names (norm(name))",
  );
  program.close();
  expect(await verifyDatabase(dbPath)).toMatchObject({ Sound: true, Findings: [] });
  await expect(compactDatabase(dbPath)).rejects.toMatchObject({
    code: 'io-error',
    message: expect.stringMatching(
      /a function or an order of texts that only that program has \(no such function: norm\)/,
    ),
  });
  expect(await copyStores(dbPath, freshFile())).toMatchObject({ Stores: 2, Patches: 4000 });
  spoilIndex(dbPath);
  expect((await verifyDatabase(dbPath)).Findings.map(({ Code }) => Code)).toContain('structure');
});

it('structure: pages of an index that do not fit its table', async () => {
  const dbPath = makeStoreFile(freshFile(), { patches: 2000 });
  spoilIndex(dbPath);
  const { Findings } = await verifyDatabase(dbPath);
  expect(Findings.map(({ Code }) => Code)).toContain('structure');
});

it('unreadable or structure: a file that was cut', async () => {
  const dbPath = makeStoreFile(freshFile(), { patches: 2000 });
  truncateSync(dbPath, 40_960);
  const { Findings } = await verifyDatabase(dbPath);
  expect(
    Findings.some(({ Code, Severity }) => ['structure', 'unreadable'].includes(Code) && Severity === 'error'),
  ).toBe(true);
});

it('a file of another kind is no finding but an error', async () => {
  const dbPath = freshFile();
  writeFileSync(dbPath, 'this is a text'.repeat(100));
  await expect(verifyDatabase(dbPath)).rejects.toMatchObject({
    code: 'open-failed',
    message: expect.stringContaining('not an SQLite database'),
  });
});
