/** Code that Node runs while a thread is started or a listener is added, and hooks of promises: in the middle of our calls. */
import { createHook } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SDS_DesktopPersistenceProvider, transfer } from 'sds-persistence-worker';
import { describe, expect, it, onTestFinished } from 'vitest';
import * as Y from 'yjs';
import { livingWorkers } from '../../torture/living-workers.ts';
import { persistenceOn, storedText, type, updateOf } from '../documents/documents.ts';
import { freshFile, patchOf, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

/** Does something once, at a promise of that number from now on, counted from 1; what it returns ends that, and says whether it was done. */
function atPromise(number: number, act: () => void, kind: 'init' | 'before' = 'init'): () => boolean {
  let left = number;
  const hook = createHook({
    [kind](_: number, type = 'PROMISE') {
      if (type === 'PROMISE' && --left === 0) act();
    },
  }).enable();
  return () => {
    hook.disable();
    return left <= 0;
  };
}

const inOrder = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
const clocksIn = (file: string) => rowsOf(file).patches.map(({ clock }) => clock);

/** Two providers of one file in one order: what one has called, the other one sees. */
const seesTheOther = `
const calls = [];
for (let clock = 1; clock <= 200; clock++) {
  void inner.appendPatch(patchOf(clock), clock);
  calls.push(outer.loadPatchesSince(clock - 1).then((patches) => patches.length));
}
console.log((await Promise.all(calls)).every((length) => length === 1), inner.statistics().Patches.Appended === outer.statistics().Patches.Appended);
await Promise.all([inner.close(), outer.close()]);`;

it('a file that is opened again while its thread is being started is opened once', async () => {
  const program = `import { subscribe } from 'node:diagnostics_channel';
let inner, asked = false;
subscribe('worker_threads', () => {
  if (asked) return;
  asked = true;
  inner = new SDS_DesktopPersistenceProvider(file, 'store');
});
const outer = new SDS_DesktopPersistenceProvider(file, 'store');
${seesTheOther}`;
  expect(await runProgram(program, freshFile())).toMatchObject({ code: 0, stderr: '', stdout: 'true true\n' });
});

it('and while the listeners for the end of the process are being added', async () => {
  const program = `let inner, asked = false;
process.on('newListener', () => {
  if (asked) return;
  asked = true;
  inner = new SDS_DesktopPersistenceProvider(file, 'store');
});
const outer = new SDS_DesktopPersistenceProvider(file, 'store');
${seesTheOther}`;
  expect(await runProgram(program, freshFile())).toMatchObject({ code: 0, stderr: '', stdout: 'true true\n' });
});

it('calls while a lost thread is being replaced: each is carried out once', async () => {
  const file = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await provider.appendPatch(patchOf(1), 1);
  const within: Promise<unknown>[] = [];
  const started = () => {
    if (within.length > 0) return;
    within.push(provider.appendPatch(patchOf(2), 2), provider.saveValue('small', patchOf('value')));
    within.push(provider.saveValue('large', new Uint8Array(300_000)), provider.loadPatchesSince(0));
    // there is nobody to wait for
    expect(provider.flushSync()).toBe(false);
  };
  subscribe('worker_threads', started);
  onTestFinished(() => void unsubscribe('worker_threads', started));
  await Promise.all([...livingWorkers].map((worker) => worker.terminate()));
  await expect.poll(() => within).toHaveLength(4);
  const answers = await Promise.all(within);
  expect(answers[3]).toHaveLength(2);
  expect(clocksIn(file)).toEqual([1, 2]);
  expect(rowsOf(file).blobs.map(({ ref_count }) => ref_count)).toEqual([1, 1]);
});

it('a hook of promises that calls: each patch has its own bytes, also those that were too long to be gathered', async () => {
  const file = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await provider.ready();
  let clock = 1000;
  let inside = false;
  const within: Promise<void>[] = [];
  const hook = createHook({
    init() {
      if (inside || within.length >= 100) return;
      inside = true;
      const large = ++clock % 10 === 0;
      within.push(provider.appendPatch(large ? new Uint8Array(200_000).fill(1) : patchOf(clock), clock));
      if (clock % 7 === 0) provider.flushSync();
      inside = false;
    },
  });
  hook.enable();
  onTestFinished(() => void hook.disable());
  const calls: Promise<unknown>[] = [];
  for (let number = 1; number <= 60; number++) {
    calls.push(provider.appendPatch(number % 9 === 0 ? new Uint8Array(200_000) : patchOf(number), number));
    if (number % 5 === 0) calls.push(provider.saveValue('value', patchOf('value')));
    if (number % 8 === 0) calls.push(provider.loadPatchesSince(number - 1));
    if (number % 3 === 0) await calls.at(-1);
  }
  hook.disable();
  await Promise.all([...calls, ...within]);
  const patches = await provider.loadPatchesSince(0);
  expect(patches.slice(0, 60).map((patch, index) => (patch.byteLength > 100 ? index + 1 : textOf(patch)))).toEqual(
    inOrder(60).map((number) => (number % 9 === 0 ? number : `patch ${number}`)),
  );
  expect(patches).toHaveLength(160);
});

it('a hook of promises that waits for a large write which is just being added: that is carried out once', async () => {
  const file = freshFile();
  const large = new Uint8Array(200_000);
  const waits: boolean[] = [];
  for (let promise = 1; promise <= 8; promise++) {
    await using provider = new SDS_DesktopPersistenceProvider(file, `store ${promise}`);
    await provider.ready();
    const { Finished: before } = provider.statistics().Batches;
    const ended = atPromise(promise, () => provider.flushSync());
    const stored = provider.appendPatch(large, 1);
    const wasWithin = ended();
    waits.push(wasWithin && provider.statistics().Batches.Finished > before);
    await stored;
    await provider.flush();
    const { Batches, Worker } = provider.statistics();
    expect([promise, Batches.Finished - before, Worker.PendingBytes]).toEqual([promise, 1, 0]);
  }
  expect(waits).toContain(true);
});

it('a hook of promises that appends while a large write sends what was called before it: each patch has its own bytes', async () => {
  const file = freshFile();
  const lengths: number[][] = [];
  for (let promise = 1; promise <= 8; promise++) {
    await using provider = new SDS_DesktopPersistenceProvider(file, `store ${promise}`);
    await provider.ready();
    let left = promise;
    const calls: Promise<unknown>[] = [];
    const hook = createHook({
      init() {
        if (--left === 0) calls.push(provider.appendPatch(patchOf('within'), 2));
      },
    });
    calls.push(provider.loadPatchesSince(0));
    hook.enable();
    const large = provider.appendPatch(new Uint8Array(200_000), 1);
    hook.disable();
    await Promise.all([large, ...calls]);
    const patches = await provider.loadPatchesSince(0);
    if (calls.length > 1) lengths.push(patches.map(({ byteLength }) => byteLength));
  }
  expect(lengths.length).toBeGreaterThan(0);
  expect(lengths).toEqual(lengths.map(() => [200_000, patchOf('within').byteLength]));
});

it('a hook of promises that appends more than may be pending while a message is sent: nothing waits, the rest is refused', async () => {
  const file = freshFile();
  const codes = new Set<string>();
  for (let promise = 1; promise <= 10; promise++) {
    await using provider = new SDS_DesktopPersistenceProvider(file, `store ${promise}`, { MaxPendingBytes: 1_000_000 });
    await provider.ready();
    let left = promise;
    const calls: Promise<string>[] = [];
    const hook = createHook({
      init() {
        if (--left !== 0) return;
        for (let clock = 1; clock <= 40; clock++) {
          const patch = provider.appendPatch(new Uint8Array(100_000), clock);
          calls.push(
            patch.then(
              () => 'stored',
              ({ code }) => code,
            ),
          );
        }
      },
    });
    hook.enable();
    await provider.loadPatchesSince(0);
    hook.disable();
    const outcomes = await Promise.all(calls);
    const stored = outcomes.filter((outcome) => outcome === 'stored');
    expect(await provider.loadPatchesSince(0)).toHaveLength(stored.length);
    for (const outcome of outcomes) codes.add(outcome);
  }
  expect([...codes].sort()).toEqual(['queue-full', 'stored']);
});

it('a hook of promises that makes a provider while bytes are handed over: if they go down with the worker, their call says so', async () => {
  const file = freshFile();
  const codes: string[] = [];
  for (let promise = 1; promise <= 12; promise++) {
    await using provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 60_000 });
    await provider.ready();
    const holder = new DatabaseSync(file);
    holder.exec('BEGIN IMMEDIATE');
    let left = promise;
    let within: SDS_DesktopPersistenceProvider | undefined;
    const hook = createHook({
      init() {
        if (--left === 0) within = new SDS_DesktopPersistenceProvider(file, 'store within');
      },
    });
    hook.enable();
    const saved = provider.saveRecord('key', transfer(new Uint8Array(300_000)));
    const outcome = saved.then(
      () => 'stored',
      ({ code }) => code,
    );
    await nextTurn(); // sent
    hook.disable();
    await Promise.all([...livingWorkers].map((worker) => worker.terminate()));
    holder.close();
    codes.push(await outcome);
    await within?.close();
  }
  expect(new Set(codes)).toEqual(new Set(['worker-lost']));
});

it('a hook of promises that closes the provider while it is being closed: that is the same call', async () => {
  const file = freshFile();
  await using other = new SDS_DesktopPersistenceProvider(file, 'store');
  const provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await provider.ready();
  const within: Promise<void>[] = [];
  let inside = false;
  const hook = createHook({
    init() {
      if (inside) return;
      inside = true;
      within.push(provider.close());
      inside = false;
    },
  });
  hook.enable();
  const closed = provider.close();
  hook.disable();
  expect(within.length).toBeGreaterThan(0);
  expect(new Set([...within, closed]).size).toBe(1);
  await closed;
  await other.appendPatch(patchOf(1), 1);
  expect(clocksIn(file)).toEqual([1]);
});

it.for([
  ['a patch of 20 KB', (provider: SDS_DesktopPersistenceProvider) => provider.appendPatch(new Uint8Array(20_000), 1)],
  ['one of 200 KB', (provider: SDS_DesktopPersistenceProvider) => provider.appendPatch(new Uint8Array(200_000), 1)],
  ['a load', (provider: SDS_DesktopPersistenceProvider) => provider.loadPatchesSince(0)],
] as const)(
  'a hook of promises that closes the provider in the middle of its call of %s: that is carried out first',
  async ([, call]) => {
    const file = freshFile();
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await provider.ready();
    const { Restarts } = provider.statistics().Worker;
    let closed: Promise<void> | undefined;
    let isWaiting = true;
    const hook = createHook({
      init() {
        if (!isWaiting) return;
        isWaiting = false;
        closed = provider.close();
      },
    });
    hook.enable();
    const answer = call(provider);
    hook.disable();
    const found = await answer;
    await closed;
    expect(closed).toBeDefined();
    expect(clocksIn(file)).toEqual(found === undefined ? [1] : []);
    expect(provider.statistics().Worker.Restarts).toBe(Restarts);
  },
);

/** So many promises are made by a call, and by the end of a thread beside it. */
for (const [method, promises] of Object.entries({ constructor: 8, close: 24 })) {
  it(`a hook of promises in which a lost thread is replaced, wherever in a ${method}: the next one knows who comes, and who goes`, async () => {
    const file = freshFile();
    await using other = new SDS_DesktopPersistenceProvider(file, 'other');
    await other.ready();
    let left = 0;
    let calls = 0;
    let losses = other.statistics().Worker.Restarts;
    const hook = createHook({
      init() {
        if (--left !== 0) return;
        // until it is seen that the thread has ended; nothing is waited for while something is being sent
        do void other.appendPatch(patchOf(++calls), calls);
        while (other.flushSync() && other.statistics().Worker.Restarts < losses);
      },
    });
    onTestFinished(() => void hook.disable());
    const loseAt = (promise: number) => {
      losses++;
      for (const worker of livingWorkers) void worker.terminate();
      left = promise;
      hook.enable();
    };
    for (let promise = 1; promise <= promises; promise++) {
      if (method === 'constructor') loseAt(promise);
      const provider = new SDS_DesktopPersistenceProvider(file, `store ${promise}`);
      if (method === 'constructor') hook.disable();
      await provider.appendPatch(patchOf(1), 1);
      expect(await provider.loadPatchesSince(0)).toHaveLength(1);
      if (method === 'close') loseAt(promise);
      await provider.close();
      hook.disable();
      await expect.poll(() => other.statistics().Worker.Restarts).toBe(losses);
    }
    expect(await other.loadPatchesSince(0)).toHaveLength(calls);
  });
}

const textOf = (patch: Uint8Array) => new TextDecoder().decode(patch);

it('a species of promises that fails once, and one that calls: who waits is known afterwards as before', async () => {
  await using provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store');
  await provider.ready();
  const native = Object.getOwnPropertyDescriptor(Promise, Symbol.species) as PropertyDescriptor;
  onTestFinished(() => void Object.defineProperty(Promise, Symbol.species, native));
  const promise = provider.appendPatch(patchOf(1), 1);
  let seen: unknown;
  const species = (get: () => unknown) => Object.defineProperty(Promise, Symbol.species, { ...native, get });
  species(() => {
    throw new Error('no species');
  });
  expect(() => promise.then(undefined, () => undefined)).toThrow('no species');
  species(() => {
    seen = provider.appendPatch(patchOf(2), 2).constructor;
    return Promise;
  });
  promise.catch(() => undefined);
  Object.defineProperty(Promise, Symbol.species, native);
  expect(seen).toBe(Promise);
  expect(provider.appendPatch(patchOf(3), 3).constructor).toBe(Promise);
  expect(await provider.loadPatchesSince(0)).toHaveLength(3);
});

describe.each(['init', 'before'] as const)('a hook of promises (%s)', (kind) => {
  it('that calls a provider while another one of its file is being made: no thread is lost', async () => {
    const file = freshFile();
    await using before = new SDS_DesktopPersistenceProvider(file, 'before');
    await using inMemory = new SDS_DesktopPersistenceProvider(':memory:', 'store');
    await inMemory.appendPatch(patchOf(1), 1);
    const lost = () => before.statistics().Worker.Restarts;
    const lostBefore = lost();
    let clock = 0;
    const callWithin = () => void before.appendPatch(patchOf('by a hook'), ++clock);
    for (let round = 0; round < 40; round++) {
      await before.appendPatch(patchOf('between'), ++clock);
      const unhook = atPromise(1 + (round % 5), callWithin, kind);
      await using made = new SDS_DesktopPersistenceProvider(file, `made ${round}`);
      unhook();
      await made.appendPatch(patchOf(round), 1);
    }
    expect(lost()).toBe(lostBefore);
    expect(await before.loadPatchesSince(0)).toHaveLength(clock);
    expect(await inMemory.loadPatchesSince(0)).toEqual([patchOf(1)]);
  });

  it('that appends while a large write is being sent: it is stored when it is acknowledged', async () => {
    const file = freshFile();
    await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await provider.ready();
    const reader = new DatabaseSync(file);
    onTestFinished(() => reader.close());
    const stored = reader.prepare('SELECT count(*) AS count FROM patches WHERE clock = ?');
    let clock = 0;
    const callWithin = () => void provider.appendPatch(patchOf('by a hook'), ++clock);
    for (let round = 0; round < 20; round++) {
      await provider.appendPatch(patchOf('between'), ++clock);
      const ofLarge = ++clock;
      const unhook = atPromise(1 + (round % 4), callWithin, kind);
      const call = provider.appendPatch(new Uint8Array(3_000_000), ofLarge);
      for (let job = 0; job < 5; job++) await null; // it is sent at the end of the turn
      unhook();
      await call;
      expect(stored.get(ofLarge)).toEqual({ count: 1 });
    }
    expect(await provider.loadPatchesSince(0)).toHaveLength(clock);
  });
});

describe('a document is bound, and at any promise of that a hook', () => {
  it('has the persistence destroyed: whoever waits for the document to be released does not do so for ever', async () => {
    const file = freshFile();
    for (let number = 1; ; number++) {
      const persistence = persistenceOn(file, { onError: () => undefined });
      const doc = new Y.Doc();
      const settled: Promise<unknown>[] = [];
      const unhook = atPromise(number, () => void settled.push(persistence.destroy()));
      settled.push(persistence.bindState('notes', doc));
      const isHit = unhook();
      await Promise.allSettled(settled);
      type(doc, 'x');
      await Promise.allSettled([persistence.writeState('notes', doc)]);
      if (!isHit) break;
    }
  });

  it('binds it as well: both resolve with what is stored, and one call releases it', async () => {
    for (let number = 1; ; number++) {
      const file = freshFile();
      const persistence = persistenceOn(file);
      await persistence.storeUpdate('notes', updateOf('stored'));
      const doc = new Y.Doc();
      type(doc, 'typed');
      const bound: Promise<void>[] = [];
      const unhook = atPromise(number, () => void bound.push(persistence.bindState('notes', doc)));
      bound.push(persistence.bindState('notes', doc));
      const isHit = unhook();
      const found = await Promise.all(bound.map((one) => one.then(() => doc.getText('text').length)));
      expect([number, new Set(found)]).toEqual([number, new Set(['storedtyped'.length])]);
      await persistence.writeState('notes', doc);
      type(doc, ' later');
      await persistence.destroy();
      expect([number, (await storedText(file)).length]).toEqual([number, 'storedtyped'.length]);
      if (!isHit) break;
    }
  });

  it.each(['', 'typed before'])(
    'deletes it (%j): once it is changed after that, all of it is stored',
    async (before) => {
      for (let number = 1; ; number++) {
        const file = freshFile();
        const persistence = persistenceOn(file);
        await persistence.storeUpdate('notes', updateOf('stored'));
        const doc = new Y.Doc();
        if (before !== '') type(doc, before);
        const done: Promise<unknown>[] = [];
        const unhook = atPromise(number, () => void done.push(persistence.clearDocument('notes')));
        done.push(persistence.bindState('notes', doc));
        const isHit = unhook();
        await Promise.all(done);
        type(doc, 'x');
        await persistence.destroy();
        expect([number, await storedText(file)]).toEqual([number, doc.getText('text').toString()]);
        if (!isHit) break;
      }
    },
  );
});
