/**
 * Patches as a server gets them: through a pipe from another process, one or a few a turn, at several rates; each
 * is appended as a sync engine does it, `.catch`-ed and never awaited. What does storing them cost the main
 * thread beyond the same program that stores nothing, and when are they committed?
 *
 * Each rate has three parts, since looking at one thing would change another: processor time, in short blocks
 * that store and that don't, in turn, so that a machine that becomes slower does so for both; delays of the event
 * loop, whose monitor wakes it each millisecond; and the time until commit, watched by a thread.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import type { Store } from '../drivers/driver.ts';
import { median, quantile } from '../measure.ts';
import { type CommitWatch, watchCommits } from './commit-watch.ts';
import { PacedSource } from './paced-source.ts';
import type { Metrics, Task, Work } from './work.ts';

export const RATES = [200, 1000, 5000, 20_000];

const PATCH_BYTES = 200;
/** A block's beginning does not count: what the one before it has left over is done by then. */
const GRACE_MS = 60;
const WARM_RATE = 5000;
const QUIET_MS = 1000;

interface Times {
  wall: number;
  main: number;
  process: number;
}

/** In µs. */
function timesNow(): Times {
  const { user, system } = process.threadCpuUsage();
  const all = process.cpuUsage();
  return { wall: performance.now() * 1000, main: user + system, process: all.user + all.system };
}

/** Of a span of time: the main thread's processor time, and that of all others, in µs. */
function between(from: Times, to: Times) {
  const main = to.main - from.main;
  return { wall: to.wall - from.wall, main, others: to.process - from.process - main };
}

class Program {
  readonly #source = new PacedSource(PATCH_BYTES);
  readonly #store: Store;
  #clock = 0;
  #failure: unknown;

  constructor(store: Store) {
    this.#store = store;
  }

  readonly #fail = (error: unknown): void => {
    this.#failure ??= error;
  };

  /** What a sync engine does with a patch. */
  append(patch: Uint8Array): unknown {
    const promise = this.#store.appendPatch(patch, ++this.#clock) as Promise<unknown> | undefined;
    promise?.catch(this.#fail);
    return promise;
  }

  get nextClock(): number {
    return this.#clock + 1;
  }

  async receive(perSecond: number, ms: number, onPatch: (patch: Uint8Array) => void): Promise<void> {
    await this.#source.receive(perSecond, Math.max(Math.round((perSecond * ms) / 1000), 1), onPatch);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves once all is committed. */
  async settle(): Promise<void> {
    await this.#store.loadPatchesSince(this.#clock);
  }

  close(): Promise<void> {
    return this.#source.close();
  }
}

const store = (program: Program) => (patch: Uint8Array) => void program.append(patch);
const pass = () => {};

/** Processor time of one block, per patch, and of the other threads as a share of a core. */
async function block(program: Program, rate: number, ms: number, onPatch: (patch: Uint8Array) => void) {
  await program.receive(rate, GRACE_MS, onPatch);
  const before = timesNow();
  await program.receive(rate, ms, onPatch);
  const { wall, main, others } = between(before, timesNow());
  return { mainUs: main / Math.max(Math.round((rate * ms) / 1000), 1), othersPercent: (100 * others) / wall };
}

async function processorTime(program: Program, rate: number, blocks: number, ms: number) {
  const main: number[] = [];
  const others: number[] = [];
  for (let pair = 0; pair < blocks; pair++) {
    // the first of one pair is the second of the next, so that a steady drift cancels
    const orders = pair % 2 === 0 ? [store(program), pass] : [pass, store(program)];
    const [first, second] = [
      await block(program, rate, ms, orders[0] ?? pass),
      await block(program, rate, ms, orders[1] ?? pass),
    ];
    const [storing, passing] = pair % 2 === 0 ? [first, second] : [second, first];
    main.push(storing.mainUs - passing.mainUs);
    others.push(storing.othersPercent - passing.othersPercent);
  }
  return { mainUs: median(main), othersPercent: median(others) };
}

async function delays(program: Program, rate: number, ms: number) {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  await program.receive(rate, ms, store(program));
  histogram.disable();
  return { p99: histogram.percentile(99) / 1e6, p999: histogram.percentile(99.9) / 1e6, max: histogram.max / 1e6 };
}

/** Where another thread can look into the file, it does; else the promises tell, of a driver that does not mind. */
async function commitDelays({ driver, folder }: Task, program: Program, rate: number, ms: number) {
  if (driver.sharesFile === true) {
    await program.settle();
    const watch: CommitWatch = await watchCommits(folder, program.nextClock + Math.ceil((rate * ms) / 1000));
    await program.receive(rate, ms, (patch) => {
      watch.called(program.nextClock);
      program.append(patch);
    });
    await program.settle();
    return watch.end();
  }
  const took: number[] = [];
  await program.receive(rate, ms, (patch) => {
    const start = performance.now();
    const note = () => took.push(performance.now() - start);
    void (program.append(patch) as Promise<unknown>).then(note, note); // a failure is noted by the program
  });
  await program.settle();
  return { p50: quantile(took, 0.5), p99: quantile(took, 0.99) };
}

/** Processor time, in ms, that all threads but this one take in a second that begins after a second of quiet. */
async function quiet(): Promise<number> {
  await pause(QUIET_MS);
  const before = timesNow();
  await pause(1000);
  return between(before, timesNow()).others / 1000;
}

export const paced: Work = async (task) => {
  const { warmMs = 500, blocks = 2, blockMs = 100, delaysMs = 500, commitsMs = 500 } = task.sizes;
  const database = await task.driver.open(task.folder);
  const program = new Program(database.store('store'));
  const storesNothing = task.driver.committed.startsWith('nothing');
  const metrics: Metrics = {};
  await program.receive(WARM_RATE, warmMs, store(program));
  await program.receive(WARM_RATE, warmMs, pass);
  for (const rate of RATES) {
    // of a program that stores nothing both blocks of a pair are alike: it shows the noise
    const pairs = storesNothing ? Math.min(blocks, 2) : blocks;
    const { mainUs, othersPercent } = await processorTime(program, rate, pairs, blockMs);
    metrics[`mainUs at ${rate}`] = mainUs;
    metrics[`workerPercent at ${rate}`] = othersPercent;
    const { p99, p999, max } = await delays(program, rate, delaysMs);
    metrics[`p99Ms at ${rate}`] = p99;
    metrics[`p999Ms at ${rate}`] = p999;
    metrics[`maxMs at ${rate}`] = max;
    if (storesNothing) continue;
    const commits = await commitDelays(task, program, rate, commitsMs);
    metrics[`commitP50Ms at ${rate}`] = commits.p50;
    metrics[`commitP99Ms at ${rate}`] = commits.p99;
  }
  metrics.quietMs = await quiet();
  await program.close();
  await database.close();
  return metrics;
};
