/** Appends patches without awaiting each: what every piece of work with many patches is made of. */
import type { Database, Store } from '../drivers/driver.ts';

/**
 * Appends to each store in turn; resolves once all are committed. Which promises are awaited is the same for every
 * driver: the last one of each store, since stores keep the order of calls; or all, one for each call, which costs
 * a few tenths of a microsecond each whoever made them.
 */
export async function appendAll(
  database: Pick<Database, 'settle'>,
  stores: readonly Store[],
  patches: readonly Uint8Array[],
  clockOf: (index: number) => number,
  count: number,
  awaits: 'last' | 'all' = 'last',
): Promise<void> {
  const all: unknown[] = [];
  const last: unknown[] = stores.map(() => undefined);
  for (let i = 0; i < count; i++) {
    const patch = patches[i % patches.length] as Uint8Array; // remainders are within bounds
    const at = i % stores.length;
    const promise = (stores[at] as Store).appendPatch(patch, clockOf(i));
    if (awaits === 'all') all.push(promise);
    else last[at] = promise;
  }
  await database.settle?.();
  await Promise.all(awaits === 'all' ? all : last);
}
