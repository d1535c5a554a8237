/** A document that is deleted is gone; whoever has it open keeps it, and brings it back by changing it. */
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as immediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import * as Y from 'yjs';
import { freshFile, rowsOf } from '../support/files.ts';
import { lock } from '../support/lock.ts';
import { persistenceOn, runEditor, storedText, textOf, type, updateOf, updatesOf } from './documents.ts';

it('deleted while it is open, and closed without a change: it is gone', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  type(doc, 'some text');
  await persistence.setMeta('notes', 'title', 'Notes');
  await persistence.clearDocument('notes');
  expect(await persistence.getAllDocNames()).toEqual([]);
  await persistence.writeState('notes', doc);
  await persistence.destroy();
  expect(rowsOf(file)).toMatchObject({ snapshots: [], patches: [] });
});

it('deleted while it is open, and changed after that: all that is on the screen is stored again', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  type(doc, 'some text');
  await persistence.clearDocument('notes');
  type(doc, ' more');
  await persistence.writeState('notes', doc);
  expect(await storedText(file)).toBe('some text more');
});

it('deleted and changed while it is loaded: all that is on the screen is stored again', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  const before = new Y.Doc();
  await persistence.bindState('notes', before);
  type(before, 'some text');
  await persistence.writeState('notes', before);
  const doc = new Y.Doc();
  const bound = persistence.bindState('notes', doc);
  const cleared = persistence.clearDocument('notes');
  type(doc, 'changed');
  await Promise.all([bound, cleared]);
  doc.getText('text').insert(1, 'x');
  doc.getText('text').insert(doc.getText('text').length - 1, 'x'); // one of them amid what was loaded
  await persistence.writeState('notes', doc);
  await persistence.destroy();
  expect(textOf(doc)).toHaveLength('some textchanged'.length + 2);
  expect(await storedText(file)).toBe(textOf(doc));
});

it('deleted while an update of it waits for another one, and closed without a change: it is gone', async () => {
  const file = freshFile();
  const updates = updatesOf('ab');
  const persistence = persistenceOn(file);
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  Y.applyUpdate(doc, updates[1] as Uint8Array);
  await persistence.clearDocument('notes');
  await persistence.writeState('notes', doc);
  await persistence.destroy();
  expect(rowsOf(file)).toMatchObject({ snapshots: [], patches: [] });
});

it('deleted, and an update that waits for another one comes after that: all of it is stored again', async () => {
  const updates = updatesOf('abc');
  const file = freshFile();
  const persistence = persistenceOn(file);
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  Y.applyUpdate(doc, updates[0] as Uint8Array);
  await persistence.clearDocument('notes');
  Y.applyUpdate(doc, updates[2] as Uint8Array);
  await persistence.writeState('notes', doc);
  await persistence.storeUpdate('notes', updates[1] as Uint8Array);
  await persistence.destroy();
  expect(await storedText(file)).toBe('abc');
});

it('deleted while one that is left waits to be stored, and its name is bound anew: it stays deleted', async () => {
  const file = freshFile();
  let mayStore = () => {};
  const persistence = persistenceOn(file, { busyTimeoutMs: 500, onError: () => mayStore() });
  await persistence.ready();
  mayStore = lock(file); // not before that is rejected
  const [left, next] = [new Y.Doc(), new Y.Doc()];
  await persistence.bindState('notes', left);
  left.getText('text').insert(0, 'some text');
  const isLeft = persistence.writeState('notes', left);
  const bound = persistence.bindState('notes', next);
  await persistence.clearDocument('notes');
  await Promise.all([isLeft, bound]);
  await persistence.destroy();
  expect(rowsOf(file)).toMatchObject({ snapshots: [], patches: [] });
});

it('deleted while all of one that is left is being stored, which fails, and its name is bound anew: it stays deleted', async () => {
  const file = freshFile();
  const [left, next] = [new Y.Doc(), new Y.Doc()];
  let willBeStored = () => {};
  const encodeStateAsUpdate: typeof Y.encodeStateAsUpdate = (...args) => {
    if (args[0] === left) willBeStored();
    return Y.encodeStateAsUpdate(...args);
  };
  const { promise: rejected, resolve } = Promise.withResolvers<void>();
  const persistence = persistenceOn(file, { Y: { ...Y, encodeStateAsUpdate }, onError: () => resolve() });
  await persistence.bindState('notes', left);
  const other = new DatabaseSync(file);
  other.exec("CREATE TRIGGER full BEFORE INSERT ON patches BEGIN SELECT RAISE(ABORT, 'full'); END");
  type(left, 'x');
  await rejected;
  const cleared = new Promise<void>((resolve) => {
    willBeStored = () => queueMicrotask(() => resolve(persistence.clearDocument('notes')));
  });
  await Promise.all([persistence.writeState('notes', left), persistence.bindState('notes', next), cleared]);
  other.exec('DROP TRIGGER full');
  other.close();
  await persistence.destroy();
  expect(textOf(next)).toBe('');
  expect(rowsOf(file)).toMatchObject({ snapshots: [], patches: [] });
});

it('deleted again and again while it is released: no call of that fails, and it stays deleted', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  type(doc, 'some text');
  let isReleased = false;
  const released = persistence.writeState('notes', doc).then(() => {
    isReleased = true;
  });
  const deleted: Promise<void>[] = [];
  for (; !isReleased; await immediate()) deleted.push(persistence.clearDocument('notes'));
  await Promise.all([released, ...deleted]);
  expect(await persistence.getAllDocNames()).toEqual([]);
  await persistence[Symbol.asyncDispose]();
  await expect(persistence.ready()).rejects.toMatchObject({ code: 'closed' });
});

it('deleted with all others, and never stored, since that was rejected: it stays deleted', async () => {
  const file = freshFile();
  const { promise: rejected, resolve } = Promise.withResolvers<void>();
  const persistence = persistenceOn(file, { busyTimeoutMs: 100, onError: () => resolve() });
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  const unlock = lock(file);
  type(doc, 'some text');
  await rejected;
  unlock();
  await persistence.clearAll();
  await persistence.writeState('notes', doc);
  await persistence.destroy();
  expect(rowsOf(file)).toMatchObject({ snapshots: [], patches: [] });
});

it.each(['before', 'after'])(
  'not deleted by a call %s it is left, and could not be stored before: it is not released before that is stored',
  async (when) => {
    const file = freshFile();
    let isLocked = true;
    const persistence = persistenceOn(file, { busyTimeoutMs: 100, onError: () => {} });
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    const unlock = lock(file);
    doc.getText('text').insert(0, 'some text');
    const leave = () => persistence.writeState('notes', doc).then(() => expect(isLocked).toBe(false));
    const left = when === 'after' ? leave() : undefined;
    const cleared = persistence.clearDocument('notes');
    const released = left ?? leave();
    await expect(cleared).rejects.toMatchObject({ code: 'database-busy' });
    await expect(persistence.storeUpdate('other', updateOf('x'))).rejects.toMatchObject({ code: 'database-busy' });
    isLocked = false;
    unlock();
    await released;
    expect(await storedText(file)).toBe('some text');
  },
);

it.each(['before it is changed', 'while all is closed'])(
  'not deleted, which fails %s: onError is told that it may not be stored as well',
  async (when) => {
    const file = freshFile();
    const told: string[] = [];
    const onError = ({ code }: Error & { code: string }, name: string) => told.push(`${name} ${code}`);
    const persistence = persistenceOn(file, { busyTimeoutMs: 100, onError });
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    type(doc, 'some text');
    await persistence.clearDocument('plans'); // by then that is stored
    const unlock = lock(file);
    const cleared = expect(persistence.clearDocument('notes')).rejects.toMatchObject({ code: 'database-busy' });
    if (when === 'while all is closed') {
      await expect(persistence.destroy()).rejects.toMatchObject({ code: 'database-busy' });
      expect(told).toEqual(['notes database-busy']);
    }
    await cleared;
    if (when === 'before it is changed') {
      type(doc, ' more');
      await expect.poll(() => told).toEqual(['notes database-busy']);
    }
    unlock();
  },
);

it('deleted several times at once, the last of which are refused: it stays deleted', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file, { busyTimeoutMs: 60_000, maxPendingBytes: 20_000, overflow: 'reject' });
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  type(doc, 'some text');
  const unlock = lock(file);
  const cleared = Promise.allSettled(Array.from({ length: 1000 }, () => persistence.clearDocument('notes')));
  unlock();
  const outcomes = await cleared;
  expect([outcomes[0], outcomes.at(-1)]).toMatchObject([{ status: 'fulfilled' }, { reason: { code: 'queue-full' } }]);
  await persistence.writeState('notes', doc);
  await persistence.destroy();
  expect(rowsOf(file)).toMatchObject({ snapshots: [], patches: [] });
});

it('deleted while it is merged: it stays deleted', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  type(doc, 'x'.repeat(900));
  const merged = persistence.flushDocument('notes');
  await persistence.clearDocument('notes');
  await merged;
  await persistence.writeState('notes', doc);
  await persistence.destroy();
  expect(rowsOf(file)).toMatchObject({ snapshots: [], patches: [] });
});

it('deleted while it is loaded: what was loaded is there until it is closed', async () => {
  const file = freshFile();
  const before = persistenceOn(file);
  const first = new Y.Doc();
  await before.bindState('notes', first);
  type(first, 'stored');
  await before.destroy();
  const persistence = persistenceOn(file);
  const doc = new Y.Doc();
  const bound = persistence.bindState('notes', doc);
  await persistence.clearDocument('notes');
  await bound;
  expect(textOf(doc)).toBe('stored');
  type(doc, '!');
  await persistence.writeState('notes', doc);
  expect(await storedText(file)).toBe('stored!');
});

it.each([
  ['merged before', true],
  ['never merged', false],
])(
  'deleted by another process while it is open, %s: with the next compaction all that is on the screen is stored again',
  async (_, isMerged) => {
    const file = freshFile();
    const persistence = persistenceOn(file);
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    type(doc, 'some text');
    if (isMerged) await persistence.flushDocument('notes');
    const deleting = `const persistence = new YjsPersistence(file, { Y });
    await persistence.clearDocument('notes');
    await persistence.destroy();`;
    expect(await runEditor(deleting, file)).toMatchObject({ code: 0, stderr: '' });
    type(doc, ' and more');
    await persistence.flushDocument('notes');
    await persistence.writeState('notes', doc);
    expect(await storedText(file)).toBe('some text and more');
  },
);
