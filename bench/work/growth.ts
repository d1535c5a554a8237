/**
 * A store that grows: what a patch costs, what a load of the newest 100 costs, and what this thread
 * keeps in memory, at each power of ten.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Database, Store } from '../drivers/driver.ts';
import { measure, median, patchesOf } from '../measure.ts';
import { appendAll } from './append.ts';
import type { Metrics, Work } from './work.ts';

const WAVE = 10_000;
const SAMPLES = 7;
const SAMPLE_PATCHES = 2000;
const WARM_UP = 40_000;
/** Long enough for a checkpoint that waits for a quiet moment. */
const QUIET_MS = 300;

async function sample(database: Database, store: Store, append: (count: number) => Promise<void>, at: number) {
  const main: number[] = [];
  const whole: number[] = [];
  for (let i = 0; i < SAMPLES; i++) {
    const { mainUs, wallUs } = await measure(() => append(SAMPLE_PATCHES));
    main.push(mainUs / SAMPLE_PATCHES);
    whole.push(wallUs / SAMPLE_PATCHES);
  }
  const newest = at + SAMPLES * SAMPLE_PATCHES;
  const loads: number[] = [];
  for (let i = 0; i < 5 * SAMPLES; i++) {
    let found = 0;
    const { wallUs } = await measure(async () => {
      found = (await store.loadPatchesSince(newest - 100)).length;
    });
    if (found !== 100) throw new Error(`${found} patches were loaded, not the newest 100`);
    loads.push(wallUs);
  }
  await database.settle?.();
  return { main: median(main), whole: median(whole), load: median(loads) };
}

function memory(): { heap: number; rss: number } {
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: (heapUsed + external) / 1024 ** 2, rss: rss / 1024 ** 2 };
}

export const growth: Work = async ({ driver, folder, sizes }) => {
  const { most = 100_000, seconds = 60 } = sizes;
  const patches = patchesOf(200, 1024);
  const database = await driver.open(folder);
  const store = database.store('store');
  let stored = 0;
  const append = async (count: number) => {
    const first = stored;
    stored += count;
    await appendAll(database, [store], patches, (i) => first + i + 1, count);
  };
  const metrics: Metrics = {};
  // the way of a patch is compiled before the first size is measured: by patches of another store
  const warmingUp = database.store('another store');
  for (let i = 0; i < WARM_UP; i += SAMPLE_PATCHES) {
    await appendAll(database, [warmingUp], patches, (n) => i + n + 1, SAMPLE_PATCHES);
  }
  const start = performance.now();
  const outOfTime = () => performance.now() - start > seconds * 1000;
  for (let exponent = 4; 10 ** exponent <= most && !outOfTime(); exponent++) {
    const before = stored;
    const filling = await measure(async () => {
      while (stored < 10 ** exponent && !outOfTime()) await append(Math.min(WAVE, 10 ** exponent - stored));
    });
    if (stored < 10 ** exponent) break;
    const { heap, rss } = memory();
    await pause(QUIET_MS);
    const { main, whole, load } = await sample(database, store, append, stored);
    metrics[`mainUs at 1e${exponent}`] = main;
    metrics[`wholeUs at 1e${exponent}`] = whole;
    metrics[`loadUs at 1e${exponent}`] = load;
    // waves of 10,000 with whatever checkpoints they need: what a flood comes to
    metrics[`filledPerSecond at 1e${exponent}`] = ((10 ** exponent - before) / filling.wallUs) * 1e6;
    metrics[`heapMiB at 1e${exponent}`] = heap;
    metrics[`rssMiB at 1e${exponent}`] = rss;
  }
  metrics.stored = stored;
  await database.close();
  return metrics;
};
