/** Documents that are bound: what was typed is there when they are opened again, whenever it was typed. */
import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as immediate } from 'node:timers/promises';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import type { YjsPersistence, YjsPersistenceOptions } from 'sds-persistence-worker/yjs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import * as Y from 'yjs';
import { freshFile, freshFolder, rowsOf } from '../support/files.ts';
import {
  pausesWithoutEnd,
  persistenceOn,
  storedText,
  storeUnmerged,
  textOf,
  type,
  updateOf,
  updatesOf,
} from './documents.ts';

it('what was typed is there in the next program', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  type(doc, 'Hello');
  await persistence.writeState('notes', doc);
  expect(await storedText(file)).toBe('Hello');
});

it('what is typed before the document is loaded is kept, and what was stored before comes to it', async () => {
  const file = freshFile();
  const before = persistenceOn(file);
  await before.storeUpdate('notes', updateOf('stored '));
  await before.destroy();
  const persistence = persistenceOn(file);
  const doc = new Y.Doc();
  const bound = persistence.bindState('notes', doc);
  type(doc, 'typed');
  await bound;
  expect(textOf(doc)).toHaveLength('stored typed'.length);
  await persistence.writeState('notes', doc);
  expect(await storedText(file)).toBe(textOf(doc));
});

it('what a document has before it is bound is stored, too', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  const doc = new Y.Doc();
  type(doc, 'from before');
  await persistence.bindState('notes', doc);
  await persistence.writeState('notes', doc);
  expect(await storedText(file)).toBe('from before');
});

it('whoever waits for a document to be loaded, as Yjs has it, goes on once what is stored is applied, also if that takes several attempts', async () => {
  const [folder, gone] = [join(freshFolder(), 'here'), join(freshFolder(), 'gone')];
  mkdirSync(folder);
  const file = join(folder, 'documents.db');
  await persistenceOn(file).storeUpdate('notes', updateOf('stored'));
  renameSync(folder, gone);
  const doc = new Y.Doc();
  const loaded = doc.whenLoaded.then(() => textOf(doc));
  const loads = vi.fn();
  doc.on('load', loads);
  const persistence = persistenceOn(file, { onError: () => undefined });
  await expect(persistence.bindState('notes', doc)).rejects.toMatchObject({ code: 'open-failed' });
  expect(doc.isLoaded).toBe(false);
  renameSync(gone, folder);
  expect(await loaded).toBe('stored');
  await persistence.writeState('notes', doc);
  await persistence.bindState('notes', doc);
  expect(loads).toHaveBeenCalledTimes(1);
});

it('what waits for updates that never come is stored once, however often Yjs writes it anew', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  const missed = new Y.Doc();
  type(missed, 'missed');
  const deleted: Uint8Array[] = [];
  missed.on('update', (update: Uint8Array) => deleted.push(update));
  missed.getText('text').delete(0, 6);
  for (const update of [deleted[0], updateOf('a'), updateOf('b')] as Uint8Array[]) {
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    Y.applyUpdate(doc, update);
    await persistence.writeState('notes', doc);
    expect(doc.store.pendingDs).not.toBe(null);
  }
  expect(rowsOf(file).patches).toHaveLength(3);
});

it('what comes from the database has the persistence as its origin, and is not stored again', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  await persistence.storeUpdate('notes', updateOf('stored'));
  const doc = new Y.Doc();
  const origins: unknown[] = [];
  doc.on('update', (_, origin) => origins.push(origin));
  await persistence.bindState('notes', doc);
  expect(origins).toEqual([persistence]);
  await persistence.writeState('notes', doc);
  await persistence.destroy();
  expect(rowsOf(file).patches).toHaveLength(1);
});

it('an update that waits for another one is kept through a compaction', async () => {
  const file = freshFile();
  const updates = updatesOf('abc');
  const [a, b, c] = updates as [Uint8Array, Uint8Array, Uint8Array];
  const persistence = persistenceOn(file);
  await persistence.storeUpdate('notes', a);
  await persistence.storeUpdate('notes', c); // of which the one before is missing
  await persistence.flushDocument('notes');
  expect(textOf(await persistence.getYDoc('notes'))).toBe('a');
  await persistence.storeUpdate('notes', b);
  await persistence.flushDocument('notes');
  expect(textOf(await persistence.getYDoc('notes'))).toBe('abc');
});

it('an update that waits for another one when its document is released is not forgotten', async () => {
  const file = freshFile();
  const updates = updatesOf('ab');
  const persistence = persistenceOn(file);
  for (const update of updates.reverse()) {
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    Y.applyUpdate(doc, update);
    await persistence.writeState('notes', doc);
  }
  expect(await storedText(file)).toBe('ab');
});

it('a document with an update that waits for another one is not stored again by those who only look at it', async () => {
  const file = freshFile();
  const updates = updatesOf('ab');
  const persistence = persistenceOn(file);
  await persistence.storeUpdate('notes', updates[1] as Uint8Array);
  for (let visit = 0; visit < 3; visit++) {
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    await persistence.writeState('notes', doc);
  }
  await persistence.destroy();
  expect(rowsOf(file).patches).toHaveLength(1);
});

it('an update that waits for another one is stored even if it comes while its document is released', async () => {
  const file = freshFile();
  const updates = updatesOf('ab');
  const persistence = persistenceOn(file);
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  const released = persistence.writeState('notes', doc);
  Y.applyUpdate(doc, updates[1] as Uint8Array);
  await released;
  await persistence.storeUpdate('notes', updates[0] as Uint8Array);
  expect(await storedText(file)).toBe('ab');
});

it('some hundred updates are merged into one snapshot while the document is edited', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  type(doc, 'a'.repeat(700));
  await persistence.flushDocument('notes'); // after the one that has begun by itself
  type(doc, 'b'.repeat(10));
  await persistence.writeState('notes', doc);
  await persistence.destroy();
  const { snapshots, patches } = rowsOf(file);
  expect(snapshots).toHaveLength(1);
  expect(patches).toHaveLength(10);
  expect(await storedText(file)).toBe('a'.repeat(700) + 'b'.repeat(10));
});

it('a large document is not merged for a few hundred updates, which are nothing beside it', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  const [large, small] = [new Y.Doc(), new Y.Doc()];
  await persistence.storeUpdate('large', updateOf('z'.repeat(1_000_000)));
  await persistence.flushDocument('large');
  await persistence.bindState('large', large);
  await persistence.bindState('small', small);
  type(large, 'a'.repeat(600));
  type(small, 'a'.repeat(600));
  // merges follow one another
  await expect.poll(() => rowsOf(file).snapshots.length).toBe(2);
  const { patches } = rowsOf(file);
  expect(patches.filter(({ store_id }) => store_id === 'large')).toHaveLength(600);
});

it.each([
  ['of many updates is opened as one update, and merged by that', 600, { snapshots: [{}], patches: [] }],
  ['of some updates is opened as one update, and not merged', 400, { snapshots: [], patches: { length: 400 } }],
])('a document %s', async (_, length, stored) => {
  pausesWithoutEnd(3000); // so long it is waited for that it is merged
  const file = freshFile();
  await storeUnmerged(file, updatesOf('c'.repeat(length)));
  const persistence = persistenceOn(file);
  const doc = new Y.Doc();
  let applied = 0;
  doc.on('update', () => applied++);
  await persistence.bindState('notes', doc);
  expect(applied).toBe(1);
  expect(textOf(doc)).toBe('c'.repeat(length));
  expect(rowsOf(file)).toMatchObject(stored);
});

it('a document that keeps what was deleted (gc: false) is merged with it', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  const doc = new Y.Doc({ gc: false });
  await persistence.bindState('notes', doc);
  type(doc, 'first');
  const snapshot = Y.snapshot(doc);
  doc.getText('text').delete(0, 5);
  await persistence.flushDocument('notes');
  await persistence.writeState('notes', doc);
  const restored = new Y.Doc({ gc: false });
  await persistence.bindState('notes', restored);
  expect(textOf(restored)).toBe('');
  expect(textOf(Y.createDocFromSnapshot(restored, snapshot))).toBe('first');
});

it.each([
  ['getYDoc', (persistence: YjsPersistence<Y.Doc>) => persistence.getYDoc('notes')],
  ['getStateVector', (persistence: YjsPersistence<Y.Doc>) => persistence.getStateVector('notes')],
  ['getDiff', (persistence: YjsPersistence<Y.Doc>) => persistence.getDiff('notes', new Uint8Array([0]))],
])(
  'a document that keeps what was deleted (gc: false) is merged with it by %s as well, while it is bound',
  async (_, ask) => {
    const file = freshFile();
    const persistence = persistenceOn(file);
    const doc = new Y.Doc({ gc: false });
    await persistence.bindState('notes', doc);
    doc.getText('text').insert(0, 'first');
    const snapshot = Y.snapshot(doc);
    doc.getText('text').delete(0, 5);
    await storeUnmerged(file, updatesOf('x'.repeat(600)));
    await ask(persistence);
    // where the machine is slow, the answer does not wait for that
    await expect.poll(() => rowsOf(file), { timeout: 30_000 }).toMatchObject({ snapshots: [{}], patches: [] });
    await persistence.writeState('notes', doc);
    const restored = new Y.Doc({ gc: false });
    await persistence.bindState('notes', restored);
    expect(textOf(Y.createDocFromSnapshot(restored, snapshot))).toBe('first');
  },
);

it.each([
  ['that answers without looking', () => false],
  ['that looks at what was deleted', ({ content }: Y.Item) => content instanceof Y.ContentFormat],
  ['that asks for one thing that it keeps', (item: Y.Item) => item?.length !== 'first'.length],
])('a document with a gcFilter %s is merged with what that keeps', async (_, gcFilter) => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  const doc = new Y.Doc({ gc: true, gcFilter });
  await persistence.bindState('notes', doc);
  doc.getText('text').insert(0, 'first');
  const snapshot = Y.snapshot(doc);
  doc.getText('text').delete(0, 5);
  await persistence.flushDocument('notes');
  await persistence.writeState('notes', doc);
  expect(rowsOf(file)).toMatchObject({ snapshots: [{}], patches: [] });
  const restored = new Y.Doc({ gc: false });
  await persistence.bindState('notes', restored);
  expect(textOf(restored)).toBe('');
  expect(textOf(Y.createDocFromSnapshot(restored, snapshot))).toBe('first');
});

it.each([
  ['', 100],
  [', behind a compaction that has begun by itself', 700],
])('a document that its last client leaves while it is merged by hand is merged all the same%s', async (_, length) => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  type(doc, 'd'.repeat(length));
  const merged = persistence.flushDocument('notes');
  await persistence.writeState('notes', doc);
  await merged;
  expect(rowsOf(file)).toMatchObject({ snapshots: [{}], patches: [] });
  expect(await storedText(file)).toBe('d'.repeat(length));
});

it('a document that is merged by hand while all is released: the call says whether it was', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  await persistence.storeUpdate('notes', updateOf('some'));
  const merged = persistence.flushDocument('notes').then(
    () => 'merged',
    ({ code }) => code,
  );
  await persistence.destroy();
  const left = rowsOf(file).patches.length === 0 ? 'merged' : 'closed';
  expect(await merged).toBe(left);
});

it('two documents of one name, bound side by side, are both stored', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  const [one, other] = [new Y.Doc(), new Y.Doc()];
  await Promise.all([persistence.bindState('notes', one), persistence.bindState('notes', other)]);
  type(one, 'aaa');
  type(other, 'bbb');
  await Promise.all([persistence.writeState('notes', one), persistence.writeState('notes', other)]);
  expect([...(await storedText(file))].sort().join('')).toBe('aaabbb');
});

it('a document that is destroyed is released, and what it had is stored', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  type(doc, 'to the end');
  doc.destroy();
  await persistence.destroy();
  expect(await storedText(file)).toBe('to the end');
});

it('after destroy() every call rejects, and says so', async () => {
  const persistence = persistenceOn(freshFile());
  await persistence.destroy();
  const closed = { name: 'SDS_Error', code: 'closed' };
  await expect(persistence.bindState('notes', new Y.Doc())).rejects.toMatchObject(closed);
  await expect(persistence.getYDoc('notes')).rejects.toMatchObject(closed);
  await expect(persistence.storeUpdate('notes', updateOf('x'))).rejects.toMatchObject(closed);
  await expect(persistence.setMeta('notes', 'key', 1)).rejects.toMatchObject(closed);
  await expect(persistence.getAllDocNames()).rejects.toMatchObject(closed);
});

it('a document that is changed after destroy() is not taken for stored: it is told, and writeState, whose promise no server listens to, resolves', async () => {
  const file = freshFile();
  const told: string[] = [];
  const persistence = persistenceOn(file, { onError: ({ code }, name) => told.push(`${name} ${code}`) });
  const [changed, other] = [new Y.Doc(), new Y.Doc()];
  await persistence.bindState('notes', changed);
  await persistence.bindState('plans', other);
  type(changed, 'before');
  await persistence.destroy();
  type(changed, ' and after');
  await persistence.writeState('notes', changed);
  await persistence.writeState('plans', other);
  expect(told).toEqual(['notes closed']);
  expect(await storedText(file)).toBe('before');
});

it('what is changed while destroy() waits for the file is stored with the rest', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file, { busyTimeoutMs: 60_000 });
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  const other = new DatabaseSync(file);
  other.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
  type(doc, 'before');
  const destroyed = persistence.destroy();
  await immediate();
  type(doc, ' and after');
  const written = persistence.writeState('notes', doc);
  other.exec('COMMIT');
  other.close();
  await Promise.all([destroyed, written]);
  expect(await storedText(file)).toBe('before and after');
});

describe('what is changed while writeState is under way', () => {
  /** 'one' is committed and not answered yet, the file is held from then on, and ' two' is typed. */
  async function typedMeanwhile(options: Partial<YjsPersistenceOptions<Y.Doc>>) {
    const file = freshFile();
    const persistence = persistenceOn(file, options);
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    const appended = vi.spyOn(SDS_DesktopPersistenceProvider.prototype, 'appendPatch');
    const other = new DatabaseSync(file, { timeout: 5000 });
    onTestFinished(() => {
      appended.mockRestore();
      other.close();
    });
    doc.getText('text').insert(0, 'one');
    const written = persistence.writeState('notes', doc);
    const isThere = other.prepare('SELECT 1 FROM patches');
    while (isThere.get() === undefined);
    other.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
    doc.getText('text').insert(3, ' two');
    const attempts = () => appended.mock.results.map(({ value }) => value);
    return { file, doc, written, attempts, giveBack: () => other.exec('COMMIT') };
  }

  it('is stored before it resolves, also if that takes more than one attempt', async () => {
    const { file, written, attempts, giveBack } = await typedMeanwhile({ busyTimeoutMs: 10, onError: () => undefined });
    await expect.poll(attempts).toHaveLength(3); // the last one of the whole document
    const outcomes = await Promise.allSettled(attempts());
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    giveBack();
    await written;
    expect(await storedText(file)).toBe('one two');
  });

  it('and so is what is changed while that waits', async () => {
    const { file, doc, written, attempts, giveBack } = await typedMeanwhile({ busyTimeoutMs: 60_000 });
    await attempts()[0];
    await immediate();
    doc.getText('text').insert(7, ' three');
    giveBack();
    await written;
    expect(await storedText(file)).toBe('one two three');
  });
});

it.each([
  ['is told', [], ['notes closed'], 'one'],
  ['is stored if the document is bound again', ['notes'], [], 'one two'],
])('what is changed while a document is being released %s', async (_, again, wanted, stored) => {
  const file = freshFile();
  const told: string[] = [];
  const persistence = persistenceOn(file, { onError: ({ code }, name) => told.push(`${name} ${code}`) });
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  doc.getText('text').insert(0, 'one');
  const close = vi.spyOn(SDS_DesktopPersistenceProvider.prototype, 'close');
  close.mockImplementationOnce(function (this: SDS_DesktopPersistenceProvider) {
    close.mockRestore();
    const closed = this.close();
    for (const name of again) void persistence.bindState(name, doc);
    doc.getText('text').insert(3, ' two');
    return closed;
  });
  await persistence.writeState('notes', doc);
  await persistence.destroy();
  expect(told).toEqual(wanted);
  expect(await storedText(file)).toBe(stored);
});

it('a document that is bound as soon as destroy() was called is refused, and releasing it waits for nothing', async () => {
  const persistence = persistenceOn(freshFile(), { onError: () => {} });
  const doc = new Y.Doc();
  const destroyed = persistence.destroy();
  await expect(persistence.bindState('notes', doc)).rejects.toMatchObject({ code: 'closed' });
  await destroyed;
  type(doc, 'x');
  await persistence.writeState('notes', doc);
});

it('what is stored comes to a document after destroy() was called: that is no change of it', async () => {
  const file = freshFile();
  await storeUnmerged(file, updatesOf('x'.repeat(600))); // so many are merged first
  const next = persistenceOn(file);
  const doc = new Y.Doc();
  const loaded = next.bindState('notes', doc);
  const destroyed = next.destroy();
  await loaded;
  await destroyed;
  expect(textOf(doc)).toHaveLength(600);
  await next.writeState('notes', doc);
});
