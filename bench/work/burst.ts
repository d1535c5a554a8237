/**
 * Bursts: many patches of one size in one go, none awaited before the last call. The first one also
 * pays for what happens once (compiling, touching memory for the first time), so it counts by itself.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Cost, measure, median, patchesOf } from '../measure.ts';
import { appendAll } from './append.ts';
import type { Work } from './work.ts';

/** Between bursts; long enough for what a driver puts off until all is quiet. */
const QUIET_MS = 300;

export const burst: Work = async ({ driver, folder, sizes }) => {
  const { bytes = 200, count = 1000, bursts = 2 } = sizes;
  const patches = patchesOf(bytes, count);
  const database = await driver.open(folder);
  const store = database.store('store');
  await store.loadPatchesSince(0); // so that the file is there
  const costs: Cost[] = [];
  for (let done = 0; done < bursts * count; done += count) {
    await pause(QUIET_MS);
    costs.push(await measure(() => appendAll(database, [store], patches, (i) => done + i + 1, count)));
  }
  const stored = (await store.loadPatchesSince(0)).length;
  const keeps = driver.committed.startsWith('nothing') ? 0 : bursts * count;
  if (stored !== keeps) throw new Error(`${stored} patches are stored, not ${keeps}`);
  const closing = await measure(() => database.close());
  const [first, ...later] = costs;
  const wallUs = median(later.map((cost) => cost.wallUs));
  return {
    mainUs: median(later.map((cost) => cost.mainUs)) / count,
    perSecond: (count / wallUs) * 1e6,
    firstMainUs: (first?.mainUs ?? Number.NaN) / count,
    firstPerSecond: (count / (first?.wallUs ?? Number.NaN)) * 1e6,
    closeMs: closing.wallUs / 1000,
  };
};
