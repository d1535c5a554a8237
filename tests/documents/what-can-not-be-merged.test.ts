/** An update that is none, or that can't be merged: it keeps nothing else from being stored, loaded or told. */
import { once } from 'node:events';
import type { YjsPersistence } from 'sds-persistence-worker/yjs';
import { expect, it, onTestFinished } from 'vitest';
import * as Y from 'yjs';
import { told } from '../observe/listening.ts';
import { freshFile, rowsOf } from '../support/files.ts';
import { persistenceOn, rubbish, storedText, textOf, type, updateOf } from './documents.ts';

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
