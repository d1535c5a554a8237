/**
 * What decides how long one awaited call takes, and what it costs the main thread: ways to wake the worker and
 * to be woken by it, and what the worker does for a commit. All ways are in one process, a worker and a file
 * each, and take turns.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { insertPatch, schema, withoutCheckpoints } from '../drivers/schema.ts';
import { measureShort, median, patchesOf, quantile } from '../measure.ts';
import type { Metrics, Together } from '../work/work.ts';

const PATCH_BYTES = 200;
/** Cells of the shared memory; patches lie behind them. */
const CALLS = 0;
const DONE = 1;
const PATCH_AT = 64;
const EVERY_MS = 4;

interface Way {
  /** By a message with the patch; by a message, the patch in shared memory; by a futex, the patch there too. */
  into: 'message' | 'call' | 'futex';
  back: 'message' | 'waitAsync';
  /** How long the worker watches before it sleeps. */
  watchUs?: number;
  /** Looks at the file's identity before each commit, by its name. */
  stat?: boolean;
  /** BEGIN IMMEDIATE, INSERT, COMMIT instead of one INSERT. */
  transaction?: boolean;
  /** `worker.ref()` before the call, `unref()` after it. */
  reference?: boolean;
  nothing?: boolean;
}

export const ways: Record<string, Way> = {
  'futex there, waitAsync back, 50 µs of watching': { into: 'futex', back: 'waitAsync', watchUs: 50 },
  'the same, 200 µs of watching': { into: 'futex', back: 'waitAsync', watchUs: 200 },
  'the same, no watching': { into: 'futex', back: 'waitAsync' },
  'the same, no watching, a stat of the file': { into: 'futex', back: 'waitAsync', stat: true },
  'the same, no watching, BEGIN and COMMIT': { into: 'futex', back: 'waitAsync', transaction: true },
  'the same, no watching, ref and unref': { into: 'futex', back: 'waitAsync', reference: true },
  'futex there, message back, no watching': { into: 'futex', back: 'message' },
  'futex there, message back, 50 µs of watching': { into: 'futex', back: 'message', watchUs: 50 },
  'message there (patch in shared memory), waitAsync back': { into: 'call', back: 'waitAsync' },
  'message there (patch in shared memory), message back': { into: 'call', back: 'message' },
  'message there and back': { into: 'message', back: 'message' },
  'message there and back, no commit': { into: 'message', back: 'message', nothing: true },
  'futex there, waitAsync back, no watching, no commit': { into: 'futex', back: 'waitAsync', nothing: true },
};

const working = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { statSync } = require('node:fs');
  const { DatabaseSync } = require('node:sqlite');
  const { file, begin, insert: sql, shared, way } = workerData;
  const database = new DatabaseSync(file);
  for (const one of begin) database.exec(one);
  const insert = database.prepare(sql);
  const start = database.prepare('BEGIN IMMEDIATE');
  const commit = database.prepare('COMMIT');
  const cells = new Int32Array(shared);
  const bytes = new Uint8Array(shared, ${PATCH_AT}, ${PATCH_BYTES});
  const identity = statSync(file, { bigint: false }).ino;
  function store(clock, patch) {
    if (way.nothing) return;
    if (way.stat && statSync(file, { throwIfNoEntry: false })?.ino !== identity) throw new Error('another file');
    if (way.transaction) start.run();
    insert.run('store', clock, patch);
    if (way.transaction) commit.run();
  }
  function tell(clock) {
    Atomics.store(cells, ${DONE}, clock);
    if (way.back === 'message') parentPort.postMessage(clock);
    else Atomics.notify(cells, ${DONE});
  }
  function watch(clock) {
    const until = performance.now() + (way.watchUs ?? 0) / 1000;
    while (performance.now() < until) if (Atomics.load(cells, ${CALLS}) !== clock) return;
    Atomics.wait(cells, ${CALLS}, clock);
  }
  parentPort.postMessage(0);
  if (way.into === 'futex') {
    for (let clock = 0; ; ) {
      watch(clock);
      clock = Atomics.load(cells, ${CALLS});
      if (clock < 0) break;
      store(clock, bytes);
      tell(clock);
    }
    database.close();
  } else {
    parentPort.on('message', ({ clock, patch }) => {
      store(clock, patch ?? bytes);
      tell(clock);
    });
  }`;

interface Caller {
  append(patch: Uint8Array): Promise<unknown>;
  close(): Promise<unknown>;
}

async function open(folder: string, number: number, way: Way): Promise<Caller> {
  const shared = new SharedArrayBuffer(PATCH_AT + PATCH_BYTES);
  const cells = new Int32Array(shared);
  const place = new Uint8Array(shared, PATCH_AT);
  const file = join(folder, `way-${number}.db`);
  const begin = [withoutCheckpoints, schema];
  const worker = new Worker(working, { eval: true, workerData: { file, begin, insert: insertPatch, shared, way } });
  await once(worker, 'message');
  let answered: () => void = () => {};
  worker.on('message', () => answered());
  let clock = 0;
  return {
    async append(patch) {
      clock++;
      if (way.reference === true) worker.ref();
      const answer =
        way.back === 'message'
          ? new Promise<void>((resolve) => {
              answered = resolve;
            })
          : undefined;
      if (way.into === 'message') worker.postMessage({ clock, patch });
      else {
        place.set(patch);
        Atomics.store(cells, CALLS, clock);
        if (way.into === 'futex') Atomics.notify(cells, CALLS);
        else worker.postMessage({ clock });
      }
      if (answer !== undefined) await answer;
      else {
        const wait = Atomics.waitAsync(cells, DONE, clock - 1);
        if (wait.async) await wait.value;
      }
      if (way.reference === true) worker.unref();
    },
    async close() {
      if (way.into === 'futex') {
        Atomics.store(cells, CALLS, -1);
        Atomics.notify(cells, CALLS);
        await once(worker, 'exit');
      } else await worker.terminate();
    },
  };
}

export const awaiting: Together = async ({ folder, sizes }) => {
  const { warm = 200, rounds = 2, count = 50, spacedCount = 5 } = sizes;
  const patches = patchesOf(PATCH_BYTES, 1024);
  const names = Object.keys(ways);
  const callers = await Promise.all(names.map((name, i) => open(folder, i, ways[name] as Way)));
  const run = async (caller: Caller | undefined, calls: number, spaced: boolean) => {
    const took: number[] = [];
    const { mainUs } = await measureShort(async () => {
      for (let i = 0; i < calls; i++) {
        if (spaced) await pause(EVERY_MS);
        const start = performance.now();
        await caller?.append(patches[i % patches.length] as Uint8Array);
        took.push((performance.now() - start) * 1000);
      }
    });
    return { took, mainUs: mainUs / calls };
  };
  const paces = { '': count, 'spaced ': spacedCount };
  const found = names.map(() => ({
    '': { took: [] as number[], main: [] as number[] },
    'spaced ': { took: [] as number[], main: [] as number[] },
  }));
  for (const caller of callers) await run(caller, warm, false);
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? [...names.keys()] : [...names.keys()].reverse();
    // beyond what the loop and its timers cost by themselves
    const base = {
      '': (await run(undefined, count, false)).mainUs,
      'spaced ': (await run(undefined, spacedCount, true)).mainUs,
    };
    for (const i of order) {
      for (const pace of ['', 'spaced '] as const) {
        const { took, mainUs } = await run(callers[i], paces[pace], pace !== '');
        found[i]?.[pace].took.push(...took);
        found[i]?.[pace].main.push(mainUs - base[pace]);
      }
    }
  }
  for (const caller of callers) await caller.close();
  const metrics: Record<string, Metrics> = {};
  for (const [i, name] of names.entries()) {
    const one: Metrics = {};
    for (const pace of ['', 'spaced '] as const) {
      const { took = [], main = [] } = found[i]?.[pace] ?? {};
      one[`${pace}p50Us`] = quantile(took, 0.5);
      one[`${pace}p99Us`] = quantile(took, 0.99);
      one[`${pace}mainUs`] = Math.max(median(main), 0);
    }
    metrics[name] = one;
  }
  return metrics;
};
