/**
 * Patches as a server gets them: through a pipe from another process, one or a few a turn, at several rates; each
 * is appended as a sync engine does it, `.catch`-ed and never awaited. What does storing them cost the main
 * thread beyond the same program that stores nothing, and when are they committed?
 *
 * Each rate has three parts, since looking at one thing would change another: processor time, in short blocks
 * that store and that don't, in turn, so that a machine that becomes slower does so for both; delays of the event
 * loop, whose monitor wakes it each millisecond; and the time until commit, watched by a thread.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { quantile } from '../measure.ts';
import { type CommitWatch, watchCommits } from './commit-watch.ts';
import { between, delays, Program, pass, processorTime, store, timesNow } from './paced-program.ts';
import type { Metrics, Task, Work } from './work.ts';

const LOWEST_RATE = 200;
export const RATES = [LOWEST_RATE, 1000, 5000, 20_000];

export const WARM_RATE = 5000;
const QUIET_MS = 1000;

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
  const told: Promise<unknown>[] = [];
  await program.receive(rate, ms, (patch) => {
    const start = performance.now();
    const note = () => took.push(performance.now() - start);
    told.push((program.append(patch) as Promise<unknown>).then(note, note)); // a failure is noted by the program
  });
  await program.settle();
  await Promise.all(told); // a load may be answered before them
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
  const { warmMs = 500, longMs = 0, blocks = 2, blockMs = 100, delaysMs = 500, commitsMs = 500 } = task.sizes;
  const database = await task.driver.open(task.folder);
  const program = new Program([database.store('store')]);
  const storesNothing = task.driver.committed.startsWith('nothing');
  const metrics: Metrics = {};
  await program.receive(WARM_RATE, warmMs, store(program));
  await program.receive(WARM_RATE, warmMs, pass);
  // at the lowest rate V8 takes so long to compile what is needed; a server has been there for longer
  if (longMs > 0) await program.receive(LOWEST_RATE, longMs, store(program));
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
