/** One patch at a time, each awaited before the next. */
import { measure, patchesOf, quantile } from '../measure.ts';
import type { Work } from './work.ts';

export const oneAtATime: Work = async ({ driver, folder, sizes }) => {
  const { bytes = 200, count = 100, warm = 0 } = sizes;
  const patches = patchesOf(bytes, count);
  const database = await driver.open(folder);
  const store = database.store('store');
  const took = new Float64Array(count);
  const append = async (from: number, to: number, note: boolean) => {
    for (let i = from; i < to; i++) {
      const start = performance.now();
      await store.appendPatch(patches[i % patches.length] as Uint8Array, i + 1);
      if (database.settle !== undefined) await database.settle();
      if (note) took[i - from] = performance.now() - start;
    }
  };
  await append(0, warm, false);
  const { mainUs } = await measure(() => append(warm, warm + count, true));
  await database.close();
  const values = Array.from(took, (ms) => ms * 1000);
  return { p50Us: quantile(values, 0.5), p99Us: quantile(values, 0.99), mainUs: mainUs / count };
};
