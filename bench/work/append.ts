/** Appends patches without awaiting each: what every piece of work with many patches is made of. */
import type { Database, Store } from '../drivers/driver.ts';

/**
 * Appends to each store in turn; resolves once all are committed. A promise that several patches of a
 * store share is awaited once.
 */
export async function appendAll(
  database: Pick<Database, 'settle'>,
  stores: readonly Store[],
  patches: readonly Uint8Array[],
  clockOf: (index: number) => number,
  count: number,
): Promise<void> {
  const pending: unknown[] = [];
  const last: unknown[] = stores.map(() => undefined);
  for (let i = 0; i < count; i++) {
    const patch = patches[i % patches.length] as Uint8Array; // remainders are within bounds
    const at = i % stores.length;
    const promise = (stores[at] as Store).appendPatch(patch, clockOf(i));
    if (promise === last[at]) continue;
    last[at] = promise;
    pending.push(promise);
  }
  await database.settle?.();
  await Promise.all(pending);
}
