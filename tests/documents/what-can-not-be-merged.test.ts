/** An update that is none, or that can't be merged: it keeps nothing else from being stored, loaded or told. */
import { once } from 'node:events';
import type { YjsPersistence } from 'sds-persistence-worker/yjs';
import { expect, it, onTestFinished } from 'vitest';
import * as Y from 'yjs';
import { told } from '../observe/listening.ts';
import { freshFile, rowsOf } from '../support/files.ts';
import { persistenceOn, rubbish, storedText, storeUnmerged, textOf, type, updateOf } from './documents.ts';

it('what is merged by hand rejects with the document, its file and the reason, and all of it stays', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  await persistence.storeUpdate('notes', updateOf('good'));
  await persistence.storeUpdate('notes', rubbish());
  const message = expect.stringContaining(`"notes" in '${file}'`);
  const failure = { name: 'SDS_Error', code: 'database-corrupt', message, cause: expect.any(Error) };
  await expect(persistence.flushDocument('notes')).rejects.toMatchObject(failure);
  await expect(persistence.getStateVector('notes')).rejects.toMatchObject(failure);
  await expect(persistence.getAllDocStateVectors()).rejects.toMatchObject(failure);
  await persistence.destroy();
  expect(rowsOf(file)).toMatchObject({ snapshots: [], patches: [{}, {}] });
});

it('the document is opened without it, edited and stored; each time it is told which one it is', async () => {
  const file = freshFile();
  const failed = told('merge-failed');
  const errors: string[] = [];
  const persistence = persistenceOn(file, { onError: ({ code }, name) => errors.push(`${name} ${code}`) });
  await persistence.storeUpdate('notes', updateOf('good '));
  await persistence.storeUpdate('notes', rubbish());
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  expect(textOf(doc)).toBe('good ');
  type(doc, 'x'.repeat(600)); // which begins a compaction, in vain
  await expect.poll(() => errors.length).toBe(2);
  await persistence.writeState('notes', doc);
  expect(errors).toEqual(['notes database-corrupt', 'notes database-corrupt']);
  expect(failed).toMatchObject([
    { Path: file, StoreId: 'notes', Code: 'database-corrupt' },
    { Path: file, StoreId: 'notes', Code: 'database-corrupt' },
  ]);
  expect(rowsOf(file).snapshots).toEqual([]);
  const again = new Y.Doc();
  await persistence.bindState('notes', again);
  expect(textOf(again)).toBe(textOf(doc));
});

it.each([
  ['is opened', (persistence: YjsPersistence<Y.Doc>) => persistence.bindState('notes', new Y.Doc())],
  ['is read', (persistence: YjsPersistence<Y.Doc>) => persistence.getYDoc('notes')],
])('where it %s and nobody listens, a warning names the document and its file once', async (_, call) => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  await persistence.storeUpdate('notes', rubbish());
  const warned = once(process, 'warning');
  await call(persistence);
  const [{ code, message }] = await warned;
  expect(code).toBe('SDS_MERGE_FAILED');
  expect(message).toContain(`document "notes" in '${file}': updates could not be merged`);
  expect(message.match(/"notes"/g)).toHaveLength(1);
});

it('other documents are merged meanwhile', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  await persistence.storeUpdate('bad', rubbish());
  await persistence.storeUpdate('good', updateOf('good'));
  const outcomes = await Promise.allSettled([persistence.flushDocument('bad'), persistence.flushDocument('good')]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  await persistence.destroy();
  expect(rowsOf(file).snapshots).toMatchObject([{ store_id: 'good' }]);
});

it('what a subscriber of onError throws is an uncaught error, and changes nothing', async () => {
  const thrown: unknown[] = [];
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => thrown.push(error));
  onTestFinished(() => {
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener);
  });
  const file = freshFile();
  const persistence = persistenceOn(file, {
    onError: () => {
      throw new Error('on purpose');
    },
  });
  await persistence.storeUpdate('notes', rubbish());
  await persistence.storeUpdate('notes', updateOf('good'));
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  await expect.poll(() => thrown).toMatchObject([{ message: 'on purpose' }]);
  await persistence.writeState('notes', doc);
  expect(await storedText(file).catch(() => 'not read')).toBe('good');
});

it('an update of version 2, which Yjs reads as one with nothing in it, is refused, and one that is stored stays, and is told', async () => {
  const file = freshFile();
  const errors: string[] = [];
  const persistence = persistenceOn(file, { onError: ({ code }) => errors.push(code) });
  const doc = new Y.Doc();
  doc.getText('text').insert(0, 'typed');
  doc.getMap('map').set('key', 'value');
  const update = Y.encodeStateAsUpdateV2(doc);
  await expect(persistence.storeUpdate('notes', update)).rejects.toMatchObject({
    code: 'invalid-argument',
    message: expect.stringMatching(
      /^storeUpdate \("notes"\): update is .* version 2, convert it by Y\.convertUpdateFormatV2ToV1$/,
    ),
  });
  await storeUnmerged(file, [update, updateOf('good')]);
  expect(textOf(await persistence.getYDoc('notes'))).toBe('good');
  expect(errors).toEqual(['invalid-argument', 'database-corrupt']);
  const message = expect.stringContaining('version 2');
  await expect(persistence.flushDocument('notes')).rejects.toMatchObject({ code: 'database-corrupt', message });
  await expect(persistence.getStateVector('notes')).rejects.toMatchObject({ code: 'database-corrupt', message });
  await persistence.destroy();
  expect(rowsOf(file)).toMatchObject({ snapshots: [], patches: [{}, {}] });
});

it('an update that only deletes something is one of version 1', async () => {
  const persistence = persistenceOn(freshFile());
  const docs = [new Y.Doc(), new Y.Doc()] as const;
  for (const doc of docs) doc.getText('text').insert(0, 'x'.repeat(1000));
  Y.applyUpdate(docs[0], Y.encodeStateAsUpdate(docs[1]));
  await persistence.storeUpdate('notes', Y.encodeStateAsUpdate(docs[0]));
  const deletions: Uint8Array[] = [];
  docs[0].on('update', (update: Uint8Array) => deletions.push(update));
  docs[0].transact(() => {
    for (let at = 1; at < 1000; at++) docs[0].getText('text').delete(at, 1);
  });
  expect(deletions).toMatchObject([{ 0: 0 }]);
  await persistence.storeUpdate('notes', deletions[0] as Uint8Array);
  await persistence.flushDocument('notes');
  expect(textOf(await persistence.getYDoc('notes'))).toHaveLength(1001);
});
