/**
 * A prune behind a snapshot whose promise resolved before it was committed: the program believes that the snapshot is
 * there. If it could not be stored, the patches that the prune would delete are in no snapshot, so it fails as well.
 */
import type { WriteOperation } from '../protocol/entries.ts';
import { type Caller, EngineError } from './engine.ts';

/** Told when a snapshot is about to be stored (with no failure), and when that has failed; of other calls it takes no notice. */
export function noteSnapshot(operation: WriteOperation, caller: Caller, failure: EngineError | undefined): void {
  if (operation === 'saveSnapshot') caller.snapshotFailure = failure;
}

/** @throws if the snapshot that the provider called last was not stored */
export function refusePrune({ snapshotFailure }: Caller): void {
  if (snapshotFailure === undefined) return;
  const { code, reported } = snapshotFailure;
  const message = `no patch was deleted, because the snapshot called before was not stored: ${reported.message}`;
  // it concerns this call alone, whatever the code says in most cases
  throw new EngineError(code, { ...reported, message }, true);
}
