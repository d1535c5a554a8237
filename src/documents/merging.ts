/** What is stored of a document, merged. */
import { SDS_PersistenceError } from '../main/index.ts';
import type { MergeOrder } from '../protocol/merging.ts';
import { discard, type Parcel } from '../protocol/parcel.ts';
import type { StoreInParcel } from '../protocol/service.ts';
import { later, Promise } from '../protocol/surroundings.ts';

/** There is no module to merge with. */
export class NoMergeModule extends Error {}

/** Of what a merge has thrown. */
export function mergeFailed(reason: Error): SDS_PersistenceError {
  const message = `a document's updates could not be merged (${reason.message}); all of them are stored as they are`;
  return new SDS_PersistenceError('database-corrupt', message, { cause: reason });
}

/** Merges the updates of a kind of documents. */
export interface Merging {
  /**
   * @param load - called when its turn has come: brings the parts, in any order, or nothing if there is nothing to do.
   *   Whatever this comes to, its caller discards them
   * @param isWaitedFor - whether somebody waits for it
   * @returns as many as were ordered, the caller's to open, to pass on or to discard; none if there was nothing to do
   * @throws SDS_PersistenceError, as `load` does; NoMergeModule, if it will find another way the next time
   */
  run(order: MergeOrder, load: () => Promise<Parcel | undefined>, isWaitedFor: boolean): Promise<Parcel[]>;
}

export interface Merged<Store extends StoreInParcel> {
  /** Its parcel is gone. */
  store: Store;
  /** The caller's; `undefined` if there was nothing to merge. */
  merged: Parcel | undefined;
}

/** Loads a store, when its turn has come, and merges it, if there is anything to merge. */
export async function loadMerged<Store extends StoreInParcel>(
  loadStore: () => Promise<Store>,
  merging: Merging,
  order: Omit<MergeOrder, 'copies'>,
  isWaitedFor: boolean,
): Promise<Merged<Store>> {
  for (let isFirst = true; ; isFirst = false) {
    const loaded: { store?: Store } = {};
    const load = async () => {
      const store = await loadStore();
      loaded.store = store;
      return order.task === 'merge' && store.patches === 0 ? undefined : store.parcel;
    };
    try {
      const [merged] = await merging.run({ ...order, copies: 1 }, load, isWaitedFor);
      return { store: loaded.store as Store, merged }; // it was loaded for that
    } catch (error) {
      if (!isFirst || !(error instanceof NoMergeModule)) throw error;
    } finally {
      if (loaded.store !== undefined) discard(loaded.store.parcel);
    }
  }
}

/** What a promise resolves with; `undefined` if it rejects, or takes longer than so many milliseconds. */
export function inTime<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  return new Promise((resolve) => {
    const stop = later(() => resolve(undefined), ms);
    const end = (value: T | undefined) => {
      stop();
      resolve(value);
    };
    promise.then(end, () => end(undefined));
  });
}
