/** What people have stored by other extensions of Hocuspocus is taken over, also in several attempts. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { SQLite } from '@hocuspocus/extension-sqlite';
import { Server } from '@hocuspocus/server';
import {
  HocuspocusPersistence,
  type HocuspocusPersistenceOptions,
  importDocuments,
  importFromSqlite,
} from 'sds-persistence-worker/hocuspocus';
import { expect, it, onTestFinished } from 'vitest';
import * as Y from 'yjs';
import { nodes, place, resultOf, runNode } from '../package/a-fresh-machine.ts';
import { freshFile, freshFolder, rowsOf } from '../support/files.ts';
import { serve, storedText, unloaded } from './hocuspocus-server.ts';

/** A file that the real extension has written, a document for each text, under it. */
async function writtenByExtension(...texts: string[]): Promise<string> {
  const file = freshFile();
  const server = new Server({
    port: 0,
    quiet: true,
    stopOnSignals: false,
    extensions: [new SQLite({ database: file })],
  });
  for (const text of texts) {
    const direct = await server.hocuspocus.openDirectConnection(text);
    await direct.transact((document) => document.getText('text').insert(0, text));
    await direct.disconnect();
  }
  return file;
}

function persistenceOn(database: string, options: Partial<HocuspocusPersistenceOptions> = {}): HocuspocusPersistence {
  const persistence = new HocuspocusPersistence({ database, ...options });
  onTestFinished(() => persistence.destroy());
  return persistence;
}

function updateOf(text: string, encode = Y.encodeStateAsUpdate): Uint8Array {
  const doc = new Y.Doc();
  doc.getText('text').insert(0, text);
  return encode(doc);
}

it('the file of extension-sqlite: its documents are snapshots with number 0, and open as they were', async () => {
  const [from, to] = [await writtenByExtension('one', 'two', 'drei ß 🙂'), freshFile()];
  const persistence = persistenceOn(to);
  expect(await importFromSqlite(persistence, from)).toEqual({ imported: 3, skipped: 0 });
  await persistence.destroy();
  expect(rowsOf(to).snapshots.map(({ clock }) => clock)).toEqual([0, 0, 0]);
  expect(rowsOf(to).patches).toEqual([]);
  for (const name of ['one', 'two', 'drei ß 🙂']) expect(await storedText(to, name)).toBe(name);
});

it('the file of extension-sqlite as the database: nothing is opened empty, and once it is imported, in its place, all is there', async () => {
  const file = await writtenByExtension('one', 'two');
  const refused = { code: 'schema-mismatch', message: expect.stringMatching(/'documents'.*"one".*importFromSqlite/) };
  const refusing = new Server({ port: 0, quiet: true, stopOnSignals: false, extensions: [persistenceOn(file)] });
  await expect(refusing.listen()).rejects.toMatchObject(refused);
  await expect(refusing.hocuspocus.openDirectConnection('two')).rejects.toMatchObject(refused);
  await refusing.destroy();
  const importing = persistenceOn(file);
  expect(await importFromSqlite(importing, file)).toEqual({ imported: 2, skipped: 0 });
  await importing.delete('one');
  await importing.destroy();
  expect(await storedText(file, 'one')).toBe('');
  expect(await storedText(file, 'two')).toBe('two');
  const { server } = await serve(file);
  const direct = await server.hocuspocus.openDirectConnection('one');
  expect(direct.document?.getText('text').toString()).toBe('');
  await direct.disconnect();
});

it('the same, and all is deleted after that: the refusal says that the old table is to be dropped', async () => {
  const file = await writtenByExtension('one');
  const persistence = persistenceOn(file);
  await importFromSqlite(persistence, file);
  await persistence.delete('one');
  await persistence.destroy();
  const refused = { code: 'schema-mismatch', message: expect.stringMatching(/drop that table$/) };
  await expect(persistenceOn(file).onListen()).rejects.toMatchObject(refused);
  const database = new DatabaseSync(file);
  database.exec('DROP TABLE documents');
  database.close();
  await persistenceOn(file).onListen();
});

it('the same while the worker opens that file', async () => {
  for (let times = 0; times < 20; times++) {
    const file = await writtenByExtension('one', 'two');
    const persistence = persistenceOn(file);
    expect(await importFromSqlite(persistence, file)).toEqual({ imported: 2, skipped: 0 });
    await persistence.destroy();
  }
});

it('a table of that name of which nothing can be missed keeps nobody out', async () => {
  const file = freshFile();
  const others = new DatabaseSync(file);
  others.exec("CREATE TABLE documents (name TEXT, data BLOB); INSERT INTO documents VALUES ('empty', x'')");
  const { server } = await serve(file);
  await server.destroy();
  others.close();
});

it('again: what is there is left alone, and what came since is added; if it is asked for, all is merged', async () => {
  const [from, to] = [await writtenByExtension('one', 'two'), freshFile()];
  const persistence = persistenceOn(to);
  await persistence.add('one', updateOf('mine '));
  expect(await importFromSqlite(persistence, from)).toEqual({ imported: 1, skipped: 1 });
  expect(await importFromSqlite(persistence, from)).toEqual({ imported: 0, skipped: 2 });
  expect(await storedText(to, 'one')).toBe('mine ');
  expect(await importFromSqlite(persistence, from, { existing: 'merge' })).toEqual({ imported: 2, skipped: 0 });
  expect([...(await storedText(to, 'one'))].sort().join('')).toBe([...'mine one'].sort().join(''));
  expect(await storedText(to, 'two')).toBe('two');
});

it('an import that is cut off goes on where it was', async () => {
  const persistence = persistenceOn(freshFile());
  async function* documents(until: number) {
    for (let i = 0; i < 5; i++) {
      if (i === until) throw new Error('cut off');
      yield { name: `document ${i}`, data: updateOf('x') };
    }
  }
  await expect(importDocuments(persistence, documents(3))).rejects.toThrow('cut off');
  expect(await persistence.names()).toHaveLength(3);
  expect(await importDocuments(persistence, documents(9))).toEqual({ imported: 2, skipped: 3 });
});

it('what fetch of extension-database returns: null is no document', async () => {
  const persistence = persistenceOn(freshFile());
  const stored = new Map([['notes', Buffer.from(updateOf('fetched'))]]);
  const fetch = async ({ documentName }: { documentName: string }) => stored.get(documentName) ?? null;
  async function* documents() {
    for (const name of ['notes', 'gone']) yield { name, data: await fetch({ documentName: name }) };
  }
  expect(await importDocuments(persistence, documents())).toEqual({ imported: 1, skipped: 1 });
  expect(await persistence.names()).toEqual(['notes']);
});

const noUpdates: [string, Uint8Array, RegExp][] = [
  ['rubbish', new Uint8Array(64).fill(255), /no update of Yjs/],
  ['an update that was cut off', updateOf('whole').subarray(0, 9), /no update of Yjs/],
  ['JSON', new TextEncoder().encode('{"type":"doc"}'), /no update of Yjs/],
  ['an update of version 2, which is read as an empty one', updateOf('whole', Y.encodeStateAsUpdateV2), /version 2/],
  ['zeros', new Uint8Array(100), /nothing/],
];

it.each(noUpdates)('%s is refused, and nothing of it is stored', async (_, bytes, reason) => {
  const persistence = persistenceOn(freshFile());
  for (const existing of ['skip', 'merge'] as const) {
    await expect(persistence.add('notes', bytes, existing)).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringMatching(new RegExp(`"notes".*${reason.source}`)),
    });
  }
  expect(await persistence.names()).toEqual([]);
});

it('an update that waits for others, or only deletes something, is one', async () => {
  const persistence = persistenceOn(freshFile());
  const doc = new Y.Doc();
  const updates: Uint8Array[] = [];
  doc.on('update', (update) => updates.push(update));
  for (const at of [0, 1]) doc.getText('text').insert(at, 'x');
  doc.getText('text').delete(0, 1);
  const [first, second, deletion] = updates as [Uint8Array, Uint8Array, Uint8Array];
  expect(await persistence.add('notes', second)).toBe(true);
  for (const update of [deletion, first, new Uint8Array([0, 0])]) {
    expect(await persistence.add('notes', update, 'merge')).toBe(true);
  }
});

it('the file of extension-sqlite, in which some documents are damaged: all others are imported, and those are named', async () => {
  const [from, to] = [await writtenByExtension('one', 'two', 'three', 'four'), freshFile()];
  const database = new DatabaseSync(from);
  const damage = database.prepare('UPDATE documents SET data = ? WHERE name = ?');
  damage.run(new Uint8Array(64).fill(255), 'two');
  damage.run('text', 'three');
  database.close();
  const persistence = persistenceOn(to);
  const importing = importFromSqlite(persistence, from);
  await expect(importing).rejects.toMatchObject({
    code: 'invalid-argument',
    message: expect.stringMatching(
      /2 documents are left out.*"two".*no update of Yjs.*"three".*Uint8Array.*2 were imported now/,
    ),
  });
  expect(await persistence.names()).toEqual(['four', 'one']);
  // and those that are mended since come with the next call
  const mended = new DatabaseSync(from);
  for (const name of ['two', 'three']) {
    mended.prepare('UPDATE documents SET data = ? WHERE name = ?').run(updateOf(name), name);
  }
  mended.close();
  expect(await importFromSqlite(persistence, from)).toEqual({ imported: 2, skipped: 2 });
  await persistence.destroy();
  expect(await storedText(to, 'two')).toBe('two');
});

it('a document that is too large for the memory of the merging thread keeps no other one out: it is named, with what to do', async () => {
  const large = new Y.Doc();
  for (let i = 0; i < 100_000; i++) large.getMap('map').set(`key ${i}`, { i });
  const documents = [
    { name: 'large', data: Y.encodeStateAsUpdate(large) },
    { name: 'small', data: updateOf('small') },
  ];
  const file = freshFile();
  const narrow = persistenceOn(file, { resourceLimits: { maxOldGenerationSizeMb: 16 } });
  await expect(importDocuments(narrow, documents)).rejects.toMatchObject({
    code: 'invalid-argument',
    message: expect.stringMatching(/1 document is left out.*"large".*memory.*resourceLimits.*1 were imported now/),
  });
  expect(await narrow.names()).toEqual(['small']);
  await narrow.destroy();
  expect(await importDocuments(persistenceOn(file), documents)).toEqual({ imported: 1, skipped: 1 });
});

it.each([
  ['exits with a code', 'process.exit(3);'],
  ['throws what nobody catches', 'queueMicrotask(() => { throw new Error("on purpose"); });'],
])(
  'a merging thread that %s says nothing about the documents: the import rejects, and the next one has all',
  async (...given) => {
    const [, does] = given;
    const module = place(
      freshFolder(),
      'yjs.mjs',
      `export * from ${JSON.stringify(import.meta.resolve('yjs'))};
export function encodeStateAsUpdate() { ${does} return new Promise(() => {}); }`,
    );
    const documents = ['one', 'two'].map((name) => ({ name, data: updateOf(name) }));
    const file = freshFile();
    const persistence = persistenceOn(file, { yjs: pathToFileURL(module) });
    const refused = await importDocuments(persistence, documents).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: 'worker-lost',
      message: expect.not.stringMatching(/left out|resourceLimits/),
    });
    expect(await persistence.names()).toEqual([]);
    expect(await importDocuments(persistenceOn(file), documents)).toEqual({ imported: 2, skipped: 0 });
  },
);

it('both extensions in one server: documents are taken over when they are opened', async () => {
  const [from, to] = [await writtenByExtension('one'), freshFile()];
  const served = await serve(to, { others: [new SQLite({ database: from })] });
  for (let round = 0; round < 3; round++) {
    const direct = await served.server.hocuspocus.openDirectConnection('one');
    await direct.transact((document) => document.getText('text').insert(0, '!'));
    await direct.disconnect();
    await unloaded(served);
  }
  await served.server.destroy();
  expect(await storedText(to, 'one')).toBe('!!!one');
  expect(rowsOf(to).patches).toHaveLength(4);
});

/** Closed once nobody refers to them. */
const locks: DatabaseSync[] = [];

it.each([
  ['a file that is not there', () => freshFile(), 'open-failed', /ENOENT.*; check the path$/],
  [
    'a file that is no database',
    () => place(freshFolder(), 'notes.txt', 'text '.repeat(200)),
    'open-failed',
    /file is not a database.*; check the path$/,
  ],
  [
    'a file without that table',
    () => {
      const file = freshFile();
      new DatabaseSync(file).exec('CREATE TABLE other (name)');
      return file;
    },
    'schema-mismatch',
    /no such table: documents/,
  ],
  [
    'a file that another program has locked for itself',
    () => {
      const file = freshFile();
      locks.push(new DatabaseSync(file));
      locks.at(-1)?.exec('CREATE TABLE documents (name, data); BEGIN EXCLUSIVE');
      return file;
    },
    'database-busy',
    /another process has it locked \(database is locked\); import it once that has ended$/,
  ],
] as const)('%s: nothing is imported, and the error says why', async (_, make, code, reason) => {
  const file = make();
  const { message } = await importFromSqlite(persistenceOn(freshFile()), file).catch((error) => {
    expect(error).toMatchObject({ code });
    return error;
  });
  expect(message).toContain(file);
  expect(message).toMatch(reason);
});

it.each([
  ['22.5', []],
  ['22.5', ['--experimental-sqlite']],
  ['22.12', []],
] as const)(
  'Node %s %j: what it can not read is refused by what it takes, and no file is made',
  async (version, flags) => {
    const [folder, root] = [freshFolder(), join(import.meta.dirname, '../..')];
    const urlOf = (...path: string[]) => JSON.stringify(pathToFileURL(join(root, ...path)).href);
    const program = join(folder, 'import.mjs');
    writeFileSync(
      program,
      `import * as Y from ${urlOf('node_modules/yjs/dist/yjs.mjs')};
import { HocuspocusPersistence, importFromSqlite } from ${urlOf('dist/hocuspocus.js')};
const persistence = new HocuspocusPersistence({ database: './documents.db', Y });
const { code, message } = await importFromSqlite(persistence, './old.sqlite').catch((error) => error);
console.log(JSON.stringify({ code, message }));
await persistence.destroy();`,
    );
    const ended = await runNode([...flags, program], { cwd: folder, node: nodes[version] });
    expect(resultOf(ended, program)).toEqual({
      code: 'open-failed',
      message: expect.stringMatching(
        new RegExp(`'./old.sqlite'.*Node ${version}.*run the import on Node 22.13 or later`),
      ),
    });
    expect(readdirSync(folder)).not.toContain('old.sqlite');
  },
);
