/**
 * When are patches committed that nobody awaits? A thread of its own looks into the SQLite file every so often and
 * notes which number is there. A `.then` would not do: whoever listens may be served sooner than who does not.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { quantile } from '../measure.ts';

/** Seeing is late by as much as this, and by what a sleeping thread needs to wake. */
const LOOK_EVERY_MS = 0.2;

const looking = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { DatabaseSync } = require('node:sqlite');
  const { file, shared, most, everyMs, timeOrigin } = workerData;
  const database = new DatabaseSync(file, { readOnly: true });
  const newest = database.prepare('SELECT max(clock) AS clock FROM patches WHERE store_id = ?');
  const seenAt = new Float64Array(shared, 8);
  const end = new Int32Array(shared, 0, 1);
  const offset = performance.timeOrigin - timeOrigin; // a thread's clock begins with the thread
  let seen = newest.get('store').clock ?? 0;
  parentPort.postMessage(seen);
  for (let ending = false; ; ) {
    const { clock } = newest.get('store');
    const now = performance.now() + offset;
    for (; seen < clock; seen++) if (seen < most) seenAt[seen] = now;
    if (ending) break;
    ending = Atomics.wait(end, 0, 0, everyMs) !== 'timed-out';
  }
  database.close();`;

export interface CommitWatch {
  /** To be told of each call, by the patch's number, before the call. */
  called(clock: number): void;
  /**
   * Quantiles, in milliseconds, of the time from call to commit of all patches called since the beginning, all
   * of which must be committed by now.
   */
  end(): Promise<{ p50: number; p99: number }>;
}

/** Watches the patches of a file up to the number `most`. */
export async function watchCommits(folder: string, most: number): Promise<CommitWatch> {
  const shared = new SharedArrayBuffer(8 + most * 8);
  const seenAt = new Float64Array(shared, 8);
  const calledAt = new Float64Array(most);
  const file = join(folder, 'store.db');
  const { timeOrigin } = performance;
  const worker = new Worker(looking, {
    eval: true,
    workerData: { file, shared, most, everyMs: LOOK_EVERY_MS, timeOrigin },
  });
  const [first] = (await once(worker, 'message')) as [number];
  let last = first;
  return {
    called(clock) {
      calledAt[clock - 1] = performance.now();
      last = clock;
    },
    async end() {
      const end = new Int32Array(shared, 0, 1);
      Atomics.store(end, 0, 1);
      Atomics.notify(end, 0);
      await once(worker, 'exit');
      const delays: number[] = [];
      for (let i = first; i < last; i++) delays.push((seenAt[i] as number) - (calledAt[i] as number));
      if (delays.some((delay) => delay <= 0)) throw new Error('a patch was not seen to be committed');
      return { p50: quantile(delays, 0.5), p99: quantile(delays, 0.99) };
    },
  };
}
