/** Many stores, in one file or each in a file of its own: the same patches, spread in turn. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Database, Store } from '../drivers/driver.ts';
import { measure, patchesOf } from '../measure.ts';
import { appendAll } from './append.ts';
import type { Work } from './work.ts';

/** Threads of this process, NaN where there is no /proc. */
function threads(): number {
  try {
    return Number(/^Threads:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? Number.NaN);
  } catch {
    return Number.NaN;
  }
}

export const many: Work = async ({ driver, folder, sizes }) => {
  const { count = 1000, shrink = 1 } = sizes;
  const storeCount = Math.ceil((sizes.stores ?? 1) / shrink); // 1 stays 1
  const files = Math.ceil((sizes.files ?? 1) / shrink);
  const patches = patchesOf(200, 1024);
  const databases: Database[] = [];
  const stores: Store[] = [];
  const opening = await measure(async () => {
    for (let i = 0; i < files; i++) {
      const own = join(folder, `${i}`);
      mkdirSync(own);
      databases.push(await driver.open(own));
    }
    for (let i = 0; i < storeCount; i++) {
      const database = databases[i % files];
      if (database !== undefined) stores.push(database.store(`store ${i}`));
    }
    await Promise.all(stores.map((store) => store.loadSnapshot()));
  });
  const all = { settle: () => Promise.all(databases.map((database) => database.settle?.())) };
  let done = 0;
  const append = async (wanted: number) => {
    const first = done;
    done += wanted;
    await appendAll(all, stores, patches, (i) => first + i + 1, wanted);
  };
  await append(Math.max(storeCount, count / 10));
  const { mainUs, wallUs } = await measure(() => append(count));
  const metrics = {
    mainUs: mainUs / count,
    wholeUs: wallUs / count,
    threads: threads(),
    rssMiB: process.memoryUsage.rss() / 1024 ** 2,
    openMs: opening.wallUs / 1000,
  };
  await Promise.all(databases.map((database) => database.close()));
  return metrics;
};
