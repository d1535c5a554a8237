/**
 * What is left of a large file's traffic while it is backed up or verified, over and over, and while another one as large
 * is compacted, which can't be done with a file that is open: delays of the event loop under the mixed load, and
 * commits a second of as many patches as the file takes. In turn, so that a machine that becomes slower does so for
 * all; among them a thread of the same low priority that only counts, which is what any second thread of work costs
 * here, and one that counts half of the time.
 */
import { copyFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { backupDatabase, compactDatabase, verifyDatabase } from '../../dist/index.js';
import type { Store } from '../drivers/driver.ts';
import { fileIn } from '../drivers/provider.ts';
import { median, patchesOf } from '../measure.ts';
import { makeLargeFile } from './large-file.ts';
import { MixedLoad } from './mixed-load.ts';
import type { Together } from './work.ts';

const BURST = 500;
/** A log that has nothing in it is not cut any shorter. */
const LOG_BYTES = 8 * 1024 * 1024;
const patches = patchesOf(200, 1024);
export const operationsBeside: Together = async ({ driver, folder, sizes }) => {
  const { values = 100, valueBytes = 2000, turns = 1, seconds = 1, stores: count = 2 } = sizes;
  const { perSecond = 1000, snapshotBytes = 1024 } = sizes;
  const written = fileIn(folder);
  const other = join(folder, 'other.db');
  const target = join(folder, 'target.db');
  makeLargeFile(written, values, valueBytes);
  copyFileSync(written, other);
  const works: Record<string, ((Signal: AbortSignal) => Promise<unknown>) | undefined> = {
    alone: undefined,
    backup: (Signal) => backupDatabase(written, target, { Overwrite: true, Signal }),
    verify: (Signal) => verifyDatabase(written, { Signal }),
    compact: (Signal) => compactDatabase(other, { Signal }),
    counting: () => counting(0),
    'counting-half': () => counting(1),
  };
  const database = await driver.open(folder);
  const load = new MixedLoad(
    Array.from({ length: count }, (_, i) => database.store(`store ${i}`)),
    perSecond,
    snapshotBytes,
  );
  const saturated = new Saturated(database.store('saturated'));
  await load.warmUp(500);
  const found: Record<string, Record<'p99Ms' | 'p999Ms' | 'maxMs' | 'perSecond', number[]>> = {};
  for (let turn = 0; turn < turns; turn++) {
    for (const [name, work] of Object.entries(works)) {
      found[name] ??= { p99Ms: [], p999Ms: [], maxMs: [], perSecond: [] };
      const one = found[name];
      load.prepare(seconds * 1000);
      await whileRepeated(work, async () => {
        const histogram = await load.delays(seconds * 1000);
        one.p99Ms.push(histogram.percentile(99) / 1e6);
        one.p999Ms.push(histogram.percentile(99.9) / 1e6);
        one.maxMs.push(histogram.max / 1e6);
      });
      await load.settle();
      await whileRepeated(work, async () => one.perSecond.push(await saturated.run(seconds * 1000)));
      await emptied(`${written}-wal`);
    }
  }
  await database.close();
  return Object.fromEntries(
    Object.entries(found).map(([name, metrics]) => [
      name,
      Object.fromEntries(Object.entries(metrics).map(([metric, all]) => [metric, median(all)])),
    ]),
  );
};

/** What a reader has kept in the log is no matter of the work that comes after it. */
async function emptied(log: string): Promise<void> {
  while (statSync(log).size > LOG_BYTES) await pause(50);
}

/** Work over and over, whose last time is stopped once all is measured. */
async function whileRepeated(
  work: ((signal: AbortSignal) => Promise<unknown>) | undefined,
  measured: () => Promise<unknown>,
): Promise<void> {
  const control = new AbortController();
  const { signal } = control;
  const repeated = (async () => {
    while (work !== undefined && !signal.aborted) {
      await work(signal).catch((error: unknown) => {
        if (error !== signal.reason) throw error;
      });
    }
  })();
  await measured();
  control.abort();
  await repeated;
}

/** As many patches as are committed, in bursts whose last one is awaited. */
class Saturated {
  readonly #store: Store;
  #clock = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Commits a second. */
  async run(lengthMs: number): Promise<number> {
    const start = performance.now();
    let done = 0;
    for (; performance.now() - start < lengthMs; done += BURST) {
      let last: unknown;
      for (let i = 0; i < BURST; i++) last = this.#store.appendPatch(patches[i] as Uint8Array, ++this.#clock);
      await last;
    }
    return (done / (performance.now() - start)) * 1000;
  }
}

/** A second of counting at the lowest priority, with as many milliseconds of sleep after each two. */
function counting(sleeps: 0 | 1): Promise<unknown> {
  const code = `const { readlinkSync } = require('node:fs'), { setPriority } = require('node:os');
try { setPriority(Number(/\\d+$/.exec(readlinkSync('/proc/thread-self'))[0]), 19); } catch {}
const cell = new Int32Array(new SharedArrayBuffer(4));
for (const end = performance.now() + 1000; performance.now() < end; ) {
  for (const until = performance.now() + 2; performance.now() < until; );
  if (${sleeps}) Atomics.wait(cell, 0, 0, 2);
}`;
  return new Promise((resolve, reject) => new Worker(code, { eval: true }).once('exit', resolve).once('error', reject));
}
