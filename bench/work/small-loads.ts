/** Loading small snapshots of many stores from memory: one after the other, and several in a turn. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Store } from '../drivers/driver.ts';
import { measure, randomBytes } from '../measure.ts';
import type { Metrics, Work } from './work.ts';

/** How many in a turn, by the name in the results. */
const together: Record<string, number> = { single: 1, few: 8, many: 500 };

async function loadAll(stores: readonly Store[], count: number, aTurn: number, bytes: number): Promise<void> {
  for (let first = 0; first < count; first += aTurn) {
    const some = Array.from({ length: aTurn }, (_, i) => stores[(first + i) % stores.length]);
    const found = await Promise.all(some.map((store) => store?.loadSnapshot()));
    if (found.some((one) => one?.byteLength !== bytes)) throw new Error('another snapshot was loaded');
    await nextTurn();
  }
}

export const smallLoads: Work = async ({ driver, folder, sizes }) => {
  const { bytes = 200, stores: howMany = 500, count = 1000 } = sizes;
  const database = await driver.open(folder);
  const stores = Array.from({ length: howMany }, (_, i) => database.store(`store ${i}`));
  await Promise.all(stores.map((store) => store.saveSnapshot(randomBytes(bytes))));
  const metrics: Metrics = {};
  for (const [name, aTurn] of Object.entries(together)) {
    await loadAll(stores, count / 5, aTurn, bytes);
    const { mainUs, wallUs } = await measure(() => loadAll(stores, count, aTurn, bytes));
    metrics[`${name} mainUs`] = mainUs / count;
    metrics[`${name} wallUs`] = wallUs / count;
  }
  metrics.rssMiB = process.memoryUsage.rss() / 1024 / 1024;
  await database.close();
  return metrics;
};
