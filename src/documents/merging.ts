/** What merges documents, and how it fails. */
import { SDS_PersistenceError } from '../main/index.ts';
import type { MergeOrder } from '../protocol/merge-messages.ts';
import { discard, type Parcel } from '../protocol/parcel.ts';
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
 * Merges the updates of a document.
 *
 * @param load - called when its turn has come, and again if it is merged in another way: brings the parts, in any order, or nothing
 *   if there is nothing to do
 * @returns the caller's to open, to pass on or to discard; nothing if there was nothing to do
 * @throws SDS_PersistenceError, as `load` does
 */
export type Merging = (order: MergeOrder, load: () => Promise<Parcel | undefined>) => Promise<Parcel | undefined>;

/** Loads and merges one document at a time. */
export function inTurns(turns: Turns, merge: (order: MergeOrder, parts: Parcel) => Promise<Parcel>): Merging {
  return (order, load) =>
    turns.take(order.isWaitedFor, async () => {
      const parts = await load();
      if (parts === undefined) return undefined;
      try {
        return await merge(order, parts);
      } finally {
        discard(parts);
      }
    });
}
