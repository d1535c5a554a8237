/** The methods of y-leveldb, and the way from there. */
import { join } from 'node:path';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { importFromLeveldb, type YjsPersistence } from 'sds-persistence-worker/yjs';
import { expect, it, onTestFinished, vi } from 'vitest';
import { LeveldbPersistence } from 'y-leveldb';
import * as Y from 'yjs';
import { freshFile, freshFolder, rowsOf } from '../support/files.ts';
import { persistenceOn, rubbish, storedText, storeUnmerged, textOf, type, updateOf, updatesOf } from './documents.ts';

it('what is stored is a state vector, differences, and a document', async () => {
  const persistence = persistenceOn(freshFile());
  const source = new Y.Doc();
  source.on('update', (update) => void persistence.storeUpdate('notes', update));
  type(source, 'abc');
  const half = Y.encodeStateVector(source);
  type(source, 'def');
  expect(await persistence.getStateVector('notes')).toEqual(Y.encodeStateVector(source));
  expect(await persistence.getDiff('notes', half)).toEqual(Y.encodeStateAsUpdate(source, half));
  expect(textOf(await persistence.getYDoc('notes'))).toBe('abcdef');
});

it('a document that is not there is an empty one', async () => {
  const persistence = persistenceOn(freshFile());
  expect(textOf(await persistence.getYDoc('nothing'))).toBe('');
  expect(await persistence.getStateVector('nothing')).toEqual(new Uint8Array([0]));
  await persistence.flushDocument('nothing');
  expect(await persistence.getAllDocNames()).toEqual([]);
});

it.each([
  ['getStateVector', (persistence: YjsPersistence<Y.Doc>) => persistence.getStateVector('notes')],
  ['getDiff', (persistence: YjsPersistence<Y.Doc>) => persistence.getDiff('notes', new Uint8Array([0]))],
  ['getAllDocStateVectors', (persistence: YjsPersistence<Y.Doc>) => persistence.getAllDocStateVectors()],
])('a long document of which nothing but %s is asked is merged', async (_, ask) => {
  const file = freshFile();
  await storeUnmerged(file, updatesOf('x'.repeat(600)));
  const persistence = persistenceOn(file);
  await ask(persistence);
  await persistence.destroy();
  expect(rowsOf(file)).toMatchObject({ snapshots: [{ store_id: 'notes' }], patches: [] });
  expect(await storedText(file)).toBe('x'.repeat(600));
});

it('a flushed document is one row', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  await persistence.storeUpdate('notes', updateOf('abc'));
  await persistence.storeUpdate('notes', updateOf('def'));
  await persistence.flushDocument('notes');
  await persistence.destroy();
  expect(rowsOf(file)).toMatchObject({ patches: [], snapshots: [{ store_id: 'notes' }] });
});

it('names and state vectors of all documents', async () => {
  const persistence = persistenceOn(freshFile());
  const docs = new Map(['beta', 'alpha', 'ü/ö'].map((name) => [name, new Y.Doc()]));
  for (const [name, doc] of docs) {
    type(doc, name);
    await persistence.storeUpdate(name, Y.encodeStateAsUpdate(doc));
  }
  expect(await persistence.getAllDocNames()).toEqual(['alpha', 'beta', 'ü/ö']);
  const vectors = await persistence.getAllDocStateVectors();
  expect(vectors.map(({ name, clock }) => ({ name, clock }))).toEqual([
    { name: 'alpha', clock: 0 },
    { name: 'beta', clock: 0 },
    { name: 'ü/ö', clock: 0 },
  ]);
  for (const { name, sv } of vectors) expect(sv).toEqual(Y.encodeStateVector(docs.get(name) as Y.Doc));
  await persistence.clearDocument('beta');
  expect(await persistence.getAllDocNames()).toEqual(['alpha', 'ü/ö']);
  await persistence.clearAll();
  expect(await persistence.getAllDocNames()).toEqual([]);
});

it('metas come back as they were, of whatever kind, and go with the document', async () => {
  const persistence = persistenceOn(freshFile());
  const values = {
    number: 5,
    text: 'ü',
    bytes: new Uint8Array([1, 2]),
    nested: { list: [1, null, undefined] },
    date: new Date(0),
    big: 2n ** 70n,
  };
  await persistence.storeUpdate('notes', updateOf('x'));
  for (const [key, value] of Object.entries(values)) await persistence.setMeta('notes', key, value);
  await persistence.setMeta('notes', 'number', 6);
  expect(await persistence.getMetas('notes')).toEqual(new Map(Object.entries({ ...values, number: 6 })));
  expect(await persistence.getMeta('notes', 'text')).toBe('ü');
  await persistence.delMeta('notes', 'text');
  expect(await persistence.getMeta('notes', 'text')).toBeUndefined();
  expect(await persistence.getMeta('others', 'number')).toBeUndefined();
  await persistence.clearDocument('notes');
  expect(await persistence.getMetas('notes')).toEqual(new Map());
});

it('what can not be cloned is refused, and what was there stays', async () => {
  const persistence = persistenceOn(freshFile());
  await persistence.setMeta('notes', 'key', 1);
  await expect(persistence.setMeta('notes', 'key', () => 1)).rejects.toMatchObject({
    code: 'invalid-argument',
    message: expect.stringMatching(/^setMeta \("notes"\): the value of "key" .*could not be cloned/),
  });
  expect(await persistence.getMeta('notes', 'key')).toBe(1);
});

it('a meta that something else has written is told by its key, its document and its file, and leaves the others to be had', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  await persistence.setMeta('notes', 'key', 1);
  const other = new SDS_DesktopPersistenceProvider(file, 'notes');
  await other.saveRecord('meta:other', new Uint8Array([1, 2, 3]));
  await other.close();
  const told = {
    code: 'database-corrupt',
    message: expect.stringContaining(`"notes" in '${file}': the value of "other"`),
  };
  await expect(persistence.getMeta('notes', 'other')).rejects.toMatchObject(told);
  await expect(persistence.getMetas('notes')).rejects.toMatchObject(told);
  expect(await persistence.getMeta('notes', 'key')).toBe(1);
});

it('an update that is none of bytes is refused', async () => {
  const persistence = persistenceOn(freshFile(), { onError: () => undefined });
  for (const update of ['text', undefined, [1, 2]]) {
    await expect(persistence.storeUpdate('notes', update as never)).rejects.toMatchObject({ code: 'invalid-argument' });
  }
  expect(await persistence.getAllDocNames()).toEqual([]);
});

it('a difference to what is no state vector is refused', async () => {
  const persistence = persistenceOn(freshFile());
  await persistence.storeUpdate('notes', updateOf('x'));
  for (const bytes of [[], [255], [5, 1]]) {
    await expect(persistence.getDiff('notes', new Uint8Array(bytes))).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringMatching(/getDiff \("notes"\): stateVector is no state vector/),
    });
  }
});

it('a failure rejects, where y-leveldb says nothing', async () => {
  const errors: string[] = [];
  const persistence = persistenceOn(join(freshFolder(), 'missing', 'documents.db'), {
    onError: ({ code }, name) => errors.push(`${name} ${code}`),
  });
  await expect(persistence.storeUpdate('notes', updateOf('x'))).rejects.toMatchObject({ code: 'open-failed' });
  await expect(persistence.getYDoc('notes')).rejects.toMatchObject({ code: 'open-failed' });
  expect(errors).toEqual(['notes open-failed']);
});

it('all documents and metas of a LevelDB come over, also a second time', async () => {
  const leveldb = new LeveldbPersistence(join(freshFolder(), 'leveldb'));
  onTestFinished(() => leveldb.destroy());
  const docs = Array.from({ length: 20 }, () => new Y.Doc());
  for (const [index, doc] of docs.entries()) {
    doc.on('update', (update) => void leveldb.storeUpdate(`document ${index}`, update));
    type(doc, `text of ${index}`);
    await leveldb.setMeta(`document ${index}`, 'title', { index });
  }
  const persistence = persistenceOn(freshFile());
  expect(await importFromLeveldb(leveldb, persistence)).toEqual({ documents: 20, metas: 20 });
  type(docs[0] as Y.Doc, ', and more');
  await importFromLeveldb(leveldb, persistence);
  for (const [index, doc] of docs.entries()) {
    expect(textOf(await persistence.getYDoc(`document ${index}`))).toBe(textOf(doc));
    expect(await persistence.getMeta(`document ${index}`, 'title')).toEqual({ index });
  }
});

it('an import that is repeated leaves alone the metas that were set since, and brings those that are new', async () => {
  const leveldb = new LeveldbPersistence(join(freshFolder(), 'leveldb'));
  onTestFinished(() => leveldb.destroy());
  await leveldb.storeUpdate('notes', updateOf('x'));
  for (const key of ['title', 'owner']) await leveldb.setMeta('notes', key, 'old');
  const persistence = persistenceOn(freshFile());
  expect(await importFromLeveldb(leveldb, persistence)).toEqual({ documents: 1, metas: 2 });
  await persistence.setMeta('notes', 'title', 'set since');
  await leveldb.setMeta('notes', 'color', 'new');
  expect(await importFromLeveldb(leveldb, persistence)).toEqual({ documents: 1, metas: 1 });
  expect(await persistence.getMetas('notes')).toEqual(
    new Map([
      ['color', 'new'],
      ['owner', 'old'],
      ['title', 'set since'],
    ]),
  );
});

it('a path in its place is told, as importFromSqlite takes one', async () => {
  const path = './leveldb' as unknown as LeveldbPersistence;
  await expect(importFromLeveldb(path, persistenceOn(freshFile()))).rejects.toMatchObject({
    code: 'invalid-argument',
    message: expect.stringContaining('must be an open LeveldbPersistence of y-leveldb, not the string "./leveldb"'),
  });
});

it('a LevelDB that can not be read is told', async () => {
  const leveldb = new LeveldbPersistence(join(freshFolder(), 'leveldb'));
  await leveldb.storeUpdate('notes', updateOf('x'));
  await leveldb.destroy();
  await expect(importFromLeveldb(leveldb, persistenceOn(freshFile()))).rejects.toMatchObject({ code: 'io-error' });
});

it('a LevelDB with a document that can not be read: all others come over, and that one is named, with nothing of it', async () => {
  const leveldb = new LeveldbPersistence(join(freshFolder(), 'leveldb'));
  onTestFinished(() => leveldb.destroy());
  for (const name of ['a', 'bad', 'c']) {
    await leveldb.storeUpdate(name, updateOf(name));
    await leveldb.setMeta(name, 'title', name);
  }
  await leveldb.storeUpdate('bad', rubbish());
  const persistence = persistenceOn(freshFile());
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined); // by which y-leveldb tells
  onTestFinished(() => warn.mockRestore());
  await expect(importFromLeveldb(leveldb, persistence)).rejects.toMatchObject({
    code: 'io-error',
    message: expect.stringMatching(/1 document is left out.*"bad".*2 were imported now/),
  });
  expect(await persistence.getAllDocNames()).toEqual(['a', 'c']);
  expect(textOf(await persistence.getYDoc('c'))).toBe('c');
  expect(await persistence.getMeta('c', 'title')).toBe('c');
});

it('a LevelDB that throws what is no error: all others come over, and that one is named', async () => {
  const leveldb = {
    getAllDocNames: async () => ['a', 'bad', 'c'],
    getMetas: async () => new Map(),
    getDiff: (name: string) => {
      if (name === 'bad') throw undefined;
      return Promise.resolve(updateOf(name));
    },
  };
  const persistence = persistenceOn(freshFile());
  await expect(importFromLeveldb(leveldb, persistence)).rejects.toMatchObject({
    code: 'io-error',
    message: expect.stringMatching(/1 document is left out.*"bad".*2 were imported now/),
  });
});
