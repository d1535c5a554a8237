/** Loading: one large snapshot, then many patches, from a file that the system still has in memory. */
import { drivers } from '../drivers/index.ts';
import { measure, median, patchesOf, randomBytes } from '../measure.ts';
import { appendAll } from './append.ts';
import type { Task, Work } from './work.ts';

async function fill({ driver, folder, sizes }: Task): Promise<void> {
  const { bytes = 1024, patchBytes = 200, count = 100 } = sizes;
  const filler = driver.sharesFile === true && drivers.sqlite !== undefined ? drivers.sqlite : driver;
  const database = await filler.open(folder);
  const store = database.store('store');
  await appendAll(database, [store], patchesOf(patchBytes, count), (i) => i + 1, count);
  await store.saveSnapshot(randomBytes(bytes));
  await database.close();
}

export const load: Work = async (task) => {
  const { bytes = 1024, count = 100, samples = 3 } = task.sizes;
  await fill(task);
  const database = await task.driver.open(task.folder);
  const store = database.store('store');
  const snapshots: { mainUs: number; wallUs: number }[] = [];
  const patches: { mainUs: number; wallUs: number }[] = [];
  for (let sample = 0; sample <= samples; sample++) {
    let found: number | undefined;
    snapshots.push(
      await measure(async () => {
        found = (await store.loadSnapshot())?.byteLength;
      }),
    );
    if (found !== bytes) throw new Error(`a snapshot of ${found} bytes was loaded, not of ${bytes}`);
    patches.push(
      await measure(async () => {
        found = (await store.loadPatchesSince(0)).length;
      }),
    );
    if (found !== count) throw new Error(`${found} patches were loaded, not ${count}`);
  }
  await database.close();
  const middle = (costs: typeof patches, name: 'mainUs' | 'wallUs') =>
    median(costs.slice(1).map((c) => c[name])) / 1000;
  return {
    snapshotMainMs: middle(snapshots, 'mainUs'),
    snapshotWholeMs: middle(snapshots, 'wallUs'),
    patchesMainMs: middle(patches, 'mainUs'),
    patchesWholeMs: middle(patches, 'wallUs'),
  };
};
