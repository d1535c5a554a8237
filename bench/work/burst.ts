/**
 * Bursts: many patches of one size in one go, of which the last is awaited, or, in more bursts, all. The first one also
 * pays for what happens once (compiling, touching memory for the first time), so it counts by itself.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Cost, measure, median, patchesOf } from '../measure.ts';
import { appendAll } from './append.ts';
import type { Metrics, Work } from './work.ts';

/** Between bursts; long enough for what a driver puts off until all is quiet. */
const QUIET_MS = 300;

export const burst: Work = async ({ driver, folder, sizes }) => {
  const { bytes = 200, count = 1000, bursts = 2, allAwaited = 0 } = sizes;
  const patches = patchesOf(bytes, count);
  const database = await driver.open(folder);
  const store = database.store('store');
  await store.loadPatchesSince(0); // so that the file is there
  let done = 0;
  const run = async (awaits: 'last' | 'all') => {
    const first = done;
    done += count;
    await pause(QUIET_MS);
    return measure(() => appendAll(database, [store], patches, (i) => first + i + 1, count, awaits));
  };
  const costs: Cost[] = [];
  for (let i = 0; i < bursts; i++) costs.push(await run('last'));
  const all: Cost[] = [];
  for (let i = 0; i < allAwaited; i++) all.push(await run('all'));
  const stored = (await store.loadPatchesSince(0)).length;
  const keeps = driver.committed.startsWith('nothing') ? 0 : done;
  if (stored !== keeps) throw new Error(`${stored} patches are stored, not ${keeps}`);
  const closing = await measure(() => database.close());
  const [first, ...later] = costs;
  const wallUs = median(later.map((cost) => cost.wallUs));
  const metrics: Metrics = {
    mainUs: median(later.map((cost) => cost.mainUs)) / count,
    othersUs: median(later.map((cost) => cost.othersUs)) / count,
    perSecond: (count / wallUs) * 1e6,
    firstMainUs: (first?.mainUs ?? Number.NaN) / count,
    firstPerSecond: (count / (first?.wallUs ?? Number.NaN)) * 1e6,
    closeMs: closing.wallUs / 1000,
  };
  if (allAwaited > 0) metrics.allMainUs = median(all.map((cost) => cost.mainUs)) / count;
  return metrics;
};
