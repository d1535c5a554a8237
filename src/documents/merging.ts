/** What merges documents, and how it fails. */
import { SDS_PersistenceError } from '../main/index.ts';
import type { MergeOrder } from '../protocol/merge-messages.ts';
import { discard, type Parcel } from '../protocol/parcel.ts';
import type { StoreInParcel } from '../protocol/service.ts';
import type { Turns } from './turns.ts';

/** There is no module to merge with. */
export class NoMergeModule extends SDS_PersistenceError {
  constructor(reason: Error) {
    super('invalid-argument', notMerged(reason), { cause: reason });
  }
}

/** Of what a merge has thrown. */
export function mergeFailed(reason: Error): SDS_PersistenceError {
  return new SDS_PersistenceError('database-corrupt', notMerged(reason), { cause: reason });
}

const notMerged = ({ message }: Error) =>
  `updates could not be merged (${message}); all of them are stored as they are`;

/**
 * Merges the updates of a document; of a snapshot alone nothing is to be merged.
 *
 * @param load - called when its turn has come, and again if it is merged in another way: brings the parts, in any order
 * @returns what was loaded, but its parcel, and what was made of it: the caller's to open, to pass on or to discard
 * @throws SDS_PersistenceError, as `load` does
 */
export type Merging = <Store extends Pick<StoreInParcel, 'parcel' | 'patches'>>(
  order: MergeOrder,
  load: () => Promise<Store>,
) => Promise<{ store: Store; merged: Parcel | undefined }>;

/** Loads and merges one document at a time. */
export function inTurns(turns: Turns, merge: (order: MergeOrder, parts: Parcel) => Promise<Parcel>): Merging {
  return (order, load) =>
    turns.take(order.isWaitedFor, async () => {
      const store = await load();
      try {
        const isToBeMade = order.task !== 'merge' || store.patches > 0;
        return { store, merged: isToBeMade ? await merge(order, store.parcel) : undefined };
      } finally {
        discard(store.parcel);
      }
    });
}
