/** Shared memory that grows within the call that stores it, by another thread. */
import { createHook } from 'node:async_hooks';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { freshFile } from '../support/files.ts';
import { onceBlocked } from '../support/once-blocked.ts';

const empty = { SnapshotClock: undefined, Patches: [], LastClock: 0 };

type Provider = SDS_DesktopPersistenceProvider;

const ways: Record<string, (provider: Provider, bytes: Uint8Array) => Promise<unknown>> = {
  appendPatch: (provider, bytes) => provider.appendPatch(bytes, 2),
  saveSnapshot: (provider, bytes) => provider.saveSnapshot(bytes, 2),
  saveValue: (provider, bytes) => provider.saveValue('hash', bytes),
  saveRecord: (provider, bytes) => provider.saveRecord('key', bytes),
  compactStore: (provider, bytes) => provider.compactStore(bytes, empty),
};

const stored: Record<string, (provider: Provider) => Promise<Uint8Array | undefined>> = {
  appendPatch: async (provider) => (await provider.loadPatchesSince(1))[0],
  saveSnapshot: (provider) => provider.loadSnapshot(),
  saveValue: (provider) => provider.loadValue('hash'),
  saveRecord: (provider) => provider.loadRecord('key'),
  compactStore: (provider) => provider.loadSnapshot(),
};

/** Makes a call in the middle of which something happens: as soon as its promise is made. */
function callDuring(happens: () => void, call: () => Promise<unknown>): Promise<unknown> {
  let done = false;
  const hook = createHook({
    init(_id, type) {
      if (done || type !== 'PROMISE') return;
      done = true;
      happens();
    },
  }).enable();
  try {
    return call();
  } finally {
    hook.disable();
    expect(done).toBe(true);
  }
}

const LENGTHS = { gathered: 1000, large: 300_000 };
const MOST = 32 * 1024 * 1024;

for (const [method, call] of Object.entries(ways)) {
  for (const [size, length] of Object.entries(LENGTHS)) {
    describe(`${method}, ${size}`, () => {
      it.each([length + 1, length + 50_000, 20_000_000])(
        'grows to %i bytes: those that were there are stored',
        async (to) => {
          await using provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store');
          await provider.ready();
          const shared = new SharedArrayBuffer(length, { maxByteLength: MOST });
          const bytes = new Uint8Array(shared).fill(1);
          const grow = () => {
            shared.grow(to);
            bytes.fill(2, length);
          };
          await callDuring(grow, () => call(provider, bytes));
          expect(await stored[method]?.(provider)).toEqual(new Uint8Array(length).fill(1));
        },
      );
    });
  }
}

/** Has the database's lock, and is told when a call is held: lets the memory grow, and gives the lock back. */
const growing = `
const { workerData: { file, shared }, parentPort } = require('node:worker_threads');
const { DatabaseSync } = require('node:sqlite');
const db = new DatabaseSync(file);
db.exec('BEGIN IMMEDIATE');
parentPort.postMessage('locked');
parentPort.once('message', () => {
  shared.grow(20_000_000);
  new Uint8Array(shared).fill(2, 1000);
  db.exec('COMMIT');
  db.close();
});`;

it('another thread lets it grow while the call is held: the patches around it are whole', async () => {
  const file = freshFile();
  const options = { MaxPendingBytes: 1, BusyTimeoutMs: 60_000 };
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store', options);
  await provider.ready();
  const shared = new SharedArrayBuffer(1000, { maxByteLength: MOST });
  const thread = new Worker(growing, { eval: true, workerData: { file, shared } });
  await new Promise((resolve) => thread.once('message', resolve));
  const patches = [new Uint8Array(4000).fill(1), new Uint8Array(shared).fill(1), new Uint8Array(4000).fill(3)];
  let byteLength: number | undefined;
  onceBlocked(() => {
    byteLength = shared.byteLength;
    thread.postMessage('a call is held');
  });
  const appended = patches.map((patch, index) => provider.appendPatch(patch, index + 1));
  expect([byteLength, shared.byteLength]).toEqual([1000, 20_000_000]);
  await Promise.all(appended);
  expect((await provider.loadPatchesSince(0)).map((patch) => [patch.byteLength, new Set(patch)])).toEqual([
    [4000, new Set([1])],
    [1000, new Set([1])],
    [4000, new Set([3])],
  ]);
  await thread.terminate();
});

/** Lets memory grow in many small steps. */
const growingInSteps = `
const { workerData: shared, parentPort } = require('node:worker_threads');
parentPort.postMessage('begins');
while (shared.byteLength < shared.maxByteLength) shared.grow(Math.min(shared.byteLength + 16, shared.maxByteLength));`;

it('another thread lets it grow while large bytes are copied: no call is refused', async () => {
  await using provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store');
  await provider.ready();
  for (let round = 0; round < 10; round++) {
    const shared = new SharedArrayBuffer(300_000, { maxByteLength: 3_000_000 });
    const thread = new Worker(growingInSteps, { eval: true, workerData: shared });
    await new Promise((resolve) => thread.once('message', resolve));
    const ended = new Promise((resolve) => thread.once('exit', resolve));
    const bytes = new Uint8Array(shared);
    while (shared.byteLength < 3_000_000) await provider.saveValue('hash', bytes);
    await ended;
  }
});

it('another thread lets shared memory grow in the moment in which it is copied: all patches around it are stored', async () => {
  await using provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store');
  await provider.ready();
  const COUNT = 16_000;
  const views = Array.from(
    { length: COUNT },
    () => new Uint8Array(new SharedArrayBuffer(16, { maxByteLength: 1 << 20 })),
  );
  const next = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(
    `const { workerData: { buffers, next } } = require('node:worker_threads');
    for (const [index, buffer] of buffers.entries()) {
      while (Atomics.load(next, 0) < index);
      buffer.grow(1 << 20);
    }`,
    { eval: true, workerData: { buffers: views.map(({ buffer }) => buffer), next } },
  );
  await once(worker, 'online');
  const saved: Promise<void>[] = [];
  for (const [index, view] of views.entries()) {
    Atomics.store(next, 0, index);
    // sooner or later, so that some of them meet
    for (let turns = (index % 200) * 20; turns > 0; turns--) Atomics.load(next, 0);
    saved.push(provider.appendPatch(view, index + 1));
  }
  await Promise.all([...saved, once(worker, 'exit')]);
  expect(await provider.loadPatchesSince(0)).toHaveLength(COUNT);
});
