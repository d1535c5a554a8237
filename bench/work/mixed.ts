/** The mixed load by itself: how late do timers of this thread become? */
import { MixedLoad } from './mixed-load.ts';
import type { Work } from './work.ts';

export const mixed: Work = async ({ driver, folder, sizes }) => {
  const { stores: count = 2, perSecond = 1000, snapshotBytes = 1024, seconds = 1 } = sizes;
  const database = await driver.open(folder);
  const stores = Array.from({ length: count }, (_, i) => database.store(`store ${i}`));
  const load = new MixedLoad(stores, perSecond, snapshotBytes);
  await load.warmUp(500);
  load.prepare(seconds * 1000);
  const cpu = process.threadCpuUsage();
  const histogram = await load.delays(seconds * 1000);
  const { user, system } = process.threadCpuUsage(cpu);
  await load.settle();
  await database.settle?.();
  await database.close();
  return {
    p50Ms: histogram.percentile(50) / 1e6,
    p99Ms: histogram.percentile(99) / 1e6,
    p999Ms: histogram.percentile(99.9) / 1e6,
    maxMs: histogram.max / 1e6,
    busyPercent: (user + system) / (seconds * 10_000),
  };
};
