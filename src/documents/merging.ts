/** What merges documents, and how it fails. */
import { SDS_PersistenceError } from '../main/index.ts';
import type { MergeOrder } from '../protocol/merging.ts';
import type { Parcel } from '../protocol/parcel.ts';
import type { Promise } from '../protocol/surroundings.ts';

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
   * @param load - called when its turn has come, and again if the first attempt finds no module: brings the parts, in any order, or
   *   nothing if there is nothing to do
   * @param isWaitedFor - whether somebody waits for it: it comes before the rest. Only `keptAlive` has the process live until it is done
   * @returns the caller's to open, to pass on or to discard; nothing if there was nothing to do
   * @throws SDS_PersistenceError, as `load` does; NoMergeModule
   */
  run(order: MergeOrder, load: () => Promise<Parcel | undefined>, isWaitedFor: boolean): Promise<Parcel | undefined>;
}
