/** Appends patches without awaiting each: what every piece of work with many patches is made of. */
import type { Database, Store } from '../drivers/driver.ts';

/** Resolves once all are committed. Promises that are shared by many patches are awaited once. */
export async function appendAll(
  database: Database,
  storeOf: (index: number) => Store,
  patches: readonly Uint8Array[],
  clockOf: (index: number) => number,
  count: number,
): Promise<void> {
  const pending: unknown[] = [];
  let last: unknown;
  for (let i = 0; i < count; i++) {
    const patch = patches[i % patches.length] as Uint8Array; // a remainder is within bounds
    const promise = storeOf(i).appendPatch(patch, clockOf(i));
    if (promise === undefined || promise === last) continue;
    last = promise;
    pending.push(promise);
  }
  await database.settle?.();
  await Promise.all(pending);
}
