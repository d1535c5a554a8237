/** What is merged goes from the thread that commits to the one that merges, and back: past the main thread, and past the end of either. */
import { existsSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { HocuspocusPersistence } from 'sds-persistence-worker/hocuspocus';
import { expect, it, onTestFinished } from 'vitest';
import * as Y from 'yjs';
import { livingWorkers } from '../../torture/living-workers.ts';
import { Random } from '../../torture/random.ts';
import { place } from '../package/a-fresh-machine.ts';
import { freshFile, freshFolder, rowsOf } from '../support/files.ts';
import {
  mergingThreads,
  persistenceOn,
  rubbish,
  storedText,
  storeUnmerged,
  textOf,
  type,
  updateOf,
  updatesOf,
} from './documents.ts';

const large = 'x'.repeat(400_000);

const committingThreads = (): Worker[] =>
  [...livingWorkers].filter((worker) => (worker as { threadName?: string }).threadName === 'sds-persistence');

/** The program's Yjs, which marks each merge that it begins, and waits with it until it may go on. */
function yjsThatWaits(): { yjs: URL; begins: () => Promise<void>; goOn: () => void } {
  const original = JSON.stringify(import.meta.resolve('yjs'));
  const path = place(
    freshFolder(),
    'yjs.mjs',
    `import * as Y from ${original};
import { existsSync, writeFileSync } from 'node:fs';
export * from ${original};
export function encodeStateAsUpdate(...given) {
  writeFileSync(new URL('begun', import.meta.url), '');
  const cell = new Int32Array(new SharedArrayBuffer(4));
  while (!existsSync(new URL('may-go-on', import.meta.url))) Atomics.wait(cell, 0, 0, 5);
  return Y.encodeStateAsUpdate(...given);
}`,
  );
  const yjs = pathToFileURL(path);
  return {
    yjs,
    begins: () => expect.poll(() => existsSync(new URL('begun', yjs))).toBe(true),
    goOn: () => writeFileSync(fileURLToPath(new URL('may-go-on', yjs)), ''),
  };
}

/** Bytes of all buffers in a message, and how many ports. */
function contentOf(message: unknown): { bytes: number; ports: number } {
  if (message instanceof ArrayBuffer) return { bytes: message.byteLength, ports: 0 };
  if (ArrayBuffer.isView(message)) return { bytes: message.buffer.byteLength, ports: 0 };
  if (message instanceof MessagePort) return { bytes: 0, ports: 1 };
  const parts = typeof message === 'object' && message !== null ? Object.values(message).map(contentOf) : [];
  return {
    bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
    ports: parts.reduce((sum, { ports }) => sum + ports, 0),
  };
}

/** What has come to this thread from its workers. */
const come = { bytes: 0, ports: 0 };

process.on('worker', (worker: Worker) => {
  const note = (message: unknown) => {
    const { bytes, ports } = contentOf(message);
    come.bytes += bytes;
    come.ports += ports;
  };
  worker.on('message', note).on('told', note); // what merges comes by a port of its own
});

/** Of this process, for whatever they are: each port has one, until it is closed. */
function handles(): number {
  const { libuv } = process.report.getReport() as unknown as { libuv: { type: string }[] };
  return libuv.filter(({ type: kind }) => kind === 'async').length;
}

// so many that threads that end meanwhile, with some handles each, do not make up for ports that are left
const rounds = 30;

it('a compaction brings no bytes of the document to the main thread', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  await persistence.storeUpdate('notes', updateOf(large));
  await persistence.storeUpdate('notes', updateOf('y'));
  Object.assign(come, { bytes: 0, ports: 0 });
  await persistence.flushDocument('notes');
  expect(come.ports).toBeGreaterThan(1); // from each of the two threads
  expect(come.bytes).toBeLessThan(10_000);
  expect(rowsOf(file).patches).toEqual([]);
  expect(await storedText(file)).toHaveLength(large.length + 1);
});

it('a document that is added where there is one brings no bytes of that to the main thread', async () => {
  const persistence = new HocuspocusPersistence({ database: freshFile(), Y });
  onTestFinished(() => persistence.destroy());
  await persistence.add('notes', updateOf(large));
  Object.assign(come, { bytes: 0, ports: 0 });
  expect(await persistence.add('notes', updateOf('y'))).toBe(false);
  expect(come.bytes).toBeLessThan(10_000);
});

it('a document is loaded when its turn to be merged has come, and not while others are merged', async () => {
  const file = freshFile();
  const { yjs, begins, goOn } = yjsThatWaits();
  const persistence = persistenceOn(file, { yjs });
  const names = ['one', 'two', 'three'];
  for (const name of names) await persistence.storeUpdate(name, updateOf(name));
  const merged = names.map((name) => persistence.flushDocument(name));
  await begins();
  for (const name of names) await persistence.storeUpdate(name, updateOf('later'));
  goOn();
  await Promise.all(merged);
  expect(rowsOf(file).patches.map(({ store_id }) => store_id)).toEqual(['one']);
});

it('updates with numbers ahead of the clock: the document is merged while it is edited, also if it had to wait for its turn', async () => {
  const file = freshFile();
  const { yjs, begins, goOn } = yjsThatWaits();
  const provider = new SDS_DesktopPersistenceProvider(file, 'notes');
  await provider.appendPatch(updateOf('x'), (Date.now() + 86_400_000) * 1000); // microseconds, of tomorrow
  await provider.close();
  const persistence = persistenceOn(file, { yjs });
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  await persistence.storeUpdate('plans', updateOf('y'));
  const plans = persistence.flushDocument('plans');
  await begins();
  let isMerged = false;
  const notes = persistence.flushDocument('notes').then(() => {
    isMerged = true;
  });
  type(doc, 'while it waits');
  goOn();
  while (!isMerged) {
    type(doc, '.');
    await new Promise(setImmediate);
  }
  await Promise.all([plans, notes]);
  expect(rowsOf(file).snapshots.map(({ store_id }) => store_id)).toContain('notes');
  await persistence.writeState('notes', doc);
  expect(await storedText(file)).toBe(textOf(doc));
});

it('a database that can not be read for a while holds up the merges of no other one', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  await persistence.storeUpdate('notes', updateOf('x'));
  const held = freshFile();
  const behind = persistenceOn(held, { busyTimeoutMs: 60_000 });
  await behind.storeUpdate('notes', updateOf('held'));
  const lock = new DatabaseSync(held);
  lock.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
  void behind.storeUpdate('notes', updateOf('waits')); // and what is loaded waits for that
  const merged = behind.flushDocument('notes');
  await persistence.flushDocument('notes');
  expect(rowsOf(file).patches).toEqual([]);
  lock.exec('COMMIT');
  lock.close();
  await merged;
});

it('a document that is merged for longer than whoever asked for something of it waits for that: the merge goes on, and is stored', async () => {
  const file = freshFile();
  const { yjs, begins, goOn } = yjsThatWaits();
  await storeUnmerged(file, updatesOf('x'.repeat(600)));
  const { waitAsync } = Atomics;
  let sweeps = 0;
  const hundredfold: typeof waitAsync = (cell: never, at: number, value: never, timeout = Number.POSITIVE_INFINITY) => {
    if (timeout === 1000) sweeps++;
    // not how long a merge may take, which a busy machine needs
    return waitAsync(cell, at, value, timeout < 60_000 ? timeout / 100 : timeout);
  };
  Atomics.waitAsync = hundredfold;
  onTestFinished(() => {
    Atomics.waitAsync = waitAsync;
  });
  const persistence = persistenceOn(file, { yjs });
  await persistence.getStateVector('notes');
  await begins();
  sweeps = 0;
  await expect.poll(() => sweeps).toBeGreaterThan(3); // nobody has used it since the first one
  goOn();
  await expect.poll(() => rowsOf(file)).toMatchObject({ snapshots: [{}], patches: [] });
});

it('the committing thread ends while a document is merged: the next one stores what was merged', async () => {
  const file = freshFile();
  const { yjs, begins, goOn } = yjsThatWaits();
  const persistence = persistenceOn(file, { yjs });
  await persistence.storeUpdate('notes', updateOf(large));
  const merged = persistence.flushDocument('notes');
  await begins();
  await Promise.all(committingThreads().map((thread) => thread.terminate()));
  goOn();
  await merged;
  expect(rowsOf(file).patches).toEqual([]);
  expect(await storedText(file)).toBe(large);
});

it('the committing thread ends with what was merged: that is told, nothing is lost, and it is merged again later', async () => {
  const file = freshFile();
  const { yjs, begins, goOn } = yjsThatWaits();
  const errors: string[] = [];
  const onError = ({ code }: { code: string }, name: string) => void errors.push(`${name} ${code}`);
  const persistence = persistenceOn(file, { yjs, busyTimeoutMs: 60_000, onError });
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  type(doc, 'x'.repeat(500)); // enough for a merge that nobody waits for
  await begins();
  const lock = new DatabaseSync(file);
  lock.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
  const before = come.ports;
  goOn();
  await expect.poll(() => come.ports).toBe(before + 1); // and went on, in the same turn, to be stored
  await Promise.all(committingThreads().map((thread) => thread.terminate()));
  await expect.poll(() => errors).toEqual(['notes worker-lost']);
  lock.exec('COMMIT');
  lock.close();
  expect(rowsOf(file).snapshots).toEqual([]);
  type(doc, 'y'.repeat(500));
  await expect.poll(() => rowsOf(file).snapshots.length).toBe(1);
  await persistence.writeState('notes', doc);
  expect(errors).toHaveLength(1);
  expect(await storedText(file)).toBe('x'.repeat(500) + 'y'.repeat(500));
});

it('whichever thread ends at whatever moment: each merge settles, nothing is lost, and no port is left', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  const random = new Random(1);
  await persistence.storeUpdate('notes', updateOf(large));
  await persistence.flushDocument('notes');
  const before = handles();
  let text = '';
  for (let round = 0; round < rounds; round++) {
    await persistence.storeUpdate('notes', updateOf('y'));
    text += 'y';
    const merged = persistence.flushDocument('notes').then(
      () => 'merged',
      ({ code }) => code,
    );
    for (let turns = random.below(200); turns > 0; turns--) await new Promise(setImmediate);
    const threads = round % 2 === 0 ? committingThreads() : mergingThreads();
    await Promise.all(threads.map((thread) => thread.terminate()));
    expect(['merged', 'worker-lost']).toContain(await merged);
  }
  await persistence.flushDocument('notes');
  await expect.poll(handles).toBeLessThanOrEqual(before);
  expect([...(await storedText(file))].filter((one) => one === 'y').join('')).toBe(text);
  expect(rowsOf(file).patches).toEqual([]);
});

it('a document that another process has deleted is left while it is merged: nothing fails, nor is told', async () => {
  const file = freshFile();
  const { yjs, begins, goOn } = yjsThatWaits();
  const errors: string[] = [];
  const persistence = persistenceOn(file, { yjs, onError: ({ message }) => errors.push(message) });
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  type(doc, 'deleted');
  await persistence.getAllDocNames(); // what was called before is stored, and the file free
  const other = new DatabaseSync(file);
  other.exec('DELETE FROM patches');
  other.close();
  type(doc, 'x');
  const merged = persistence.flushDocument('notes');
  await begins();
  await persistence.writeState('notes', doc);
  goOn();
  await merged;
  expect(errors).toEqual([]);
});

it('what need not be merged, or can not, leaves no port', async () => {
  const persistence = persistenceOn(freshFile());
  await persistence.storeUpdate('notes', updateOf('x'));
  await persistence.flushDocument('notes');
  const before = handles();
  for (let round = 0; round < rounds; round++) await persistence.flushDocument('notes');
  for (let round = 0; round < rounds; round++) {
    await persistence.storeUpdate(`rubbish ${round}`, rubbish());
    await expect(persistence.flushDocument(`rubbish ${round}`)).rejects.toMatchObject({ code: 'database-corrupt' });
  }
  await expect.poll(handles).toBeLessThanOrEqual(before);
});

it('a persistence that is released while it merges: that settles, and no port is left', async () => {
  const another = persistenceOn(freshFile());
  await another.storeUpdate('notes', updateOf('x'));
  await another.flushDocument('notes');
  const before = handles();
  for (let round = 0; round < rounds; round++) {
    const persistence = persistenceOn(freshFile());
    await persistence.storeUpdate('notes', updateOf('x'));
    await persistence.storeUpdate('notes', updateOf('y'));
    const seen = come.ports;
    const merged = persistence.flushDocument('notes').then(
      () => 'merged',
      ({ code }) => code,
    );
    while (come.ports === seen) await new Promise(setImmediate); // it is loaded
    await persistence.destroy();
    expect(['merged', 'closed']).toContain(await merged);
  }
  await expect.poll(handles).toBeLessThanOrEqual(before);
});
