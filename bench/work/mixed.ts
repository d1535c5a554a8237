/**
 * A mixed load at a fixed rate: patches into several stores, now and then a large snapshot that is
 * handed over, now and then a load. How late do timers of this thread become?
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { patchesOf, randomBytes } from '../measure.ts';
import type { Work } from './work.ts';

const SNAPSHOT_EVERY_MS = 250;
const LOAD_EVERY_MS = 200;

export const mixed: Work = async ({ driver, folder, sizes }) => {
  const { stores: count = 2, perSecond = 1000, snapshotBytes = 1024, seconds = 1 } = sizes;
  const patches = patchesOf(200, 1024);
  const database = await driver.open(folder);
  const stores = Array.from({ length: count }, (_, i) => database.store(`store ${i}`));
  // made before: encoding a document is the program's own work, whoever stores it
  const snapshots = Array.from({ length: Math.ceil((seconds * 1000) / SNAPSHOT_EVERY_MS) }, () =>
    randomBytes(snapshotBytes),
  );
  // kept to be awaited at the end; nothing more, since the garbage of a bookkeeping would hold up this thread as well
  const latest: unknown[] = stores.map(() => undefined);
  const others: unknown[] = [];
  let sent = 0;
  let saved = 0;
  let loaded = 0;
  const run = async (lengthMs: number, storesOnly: boolean) => {
    const start = performance.now();
    const sentBefore = sent;
    for (let now = start; now - start < lengthMs; now = performance.now()) {
      const due = sentBefore + Math.floor(((now - start) * perSecond) / 1000);
      while (sent < due) {
        const patch = patches[sent % patches.length] as Uint8Array;
        latest[sent % count] = stores[sent % count]?.appendPatch(patch, Math.floor(sent / count) + 1);
        sent++;
      }
      if (!storesOnly && now - start > saved * SNAPSHOT_EVERY_MS) {
        const data = snapshots.shift();
        if (data !== undefined) others.push(stores[saved % count]?.saveSnapshot(data));
        saved++;
      }
      if (!storesOnly && now - start > loaded * LOAD_EVERY_MS) {
        const store = stores[loaded++ % count];
        others.push(store?.loadPatchesSince(Math.max(Math.floor(sent / count) - 1000, 0)));
      }
      await pause(1);
    }
  };
  await run(500, true);
  await Promise.all([...latest, ...others]);
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  const cpu = process.threadCpuUsage();
  await run(seconds * 1000, false);
  const { user, system } = process.threadCpuUsage(cpu);
  histogram.disable();
  await Promise.all([...latest, ...others]);
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
