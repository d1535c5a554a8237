/** What people have stored by other extensions of Hocuspocus is taken over, also in several attempts. */
import { DatabaseSync } from 'node:sqlite';
import { SQLite } from '@hocuspocus/extension-sqlite';
import { Server } from '@hocuspocus/server';
import { HocuspocusPersistence, importDocuments, importFromSqlite } from 'sds-persistence-worker/hocuspocus';
import { expect, it, onTestFinished } from 'vitest';
import * as Y from 'yjs';
import { freshFile, rowsOf } from '../support/files.ts';
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

function persistenceOn(database: string): HocuspocusPersistence {
  const persistence = new HocuspocusPersistence({ database });
  onTestFinished(() => persistence.destroy());
  return persistence;
}

function updateOf(text: string): Uint8Array {
  const doc = new Y.Doc();
  doc.getText('text').insert(0, text);
  return Y.encodeStateAsUpdate(doc);
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

it.each([
  ['a file that is not there', () => freshFile(), 'open-failed'],
  [
    'a file without that table',
    () => {
      const file = freshFile();
      new DatabaseSync(file).exec('CREATE TABLE other (name)');
      return file;
    },
    'schema-mismatch',
  ],
])('%s: nothing is imported, and the error says why', async (_, make, code) => {
  const file = make();
  await expect(importFromSqlite(persistenceOn(freshFile()), file)).rejects.toMatchObject({
    code,
    message: expect.stringContaining(file),
  });
});
