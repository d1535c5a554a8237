/**
 * What relies on a save whose promise resolved before it was committed: the program believes that the snapshot is there, or that
 * its reference is counted. If the save failed, a prune would delete patches that are in no snapshot, and a release would
 * take the reference of somebody else, and with the last one the value that this one still needs: so they do nothing, and fail as well.
 */
import type { Failure } from '../protocol/errors.ts';
import type { ProviderMessage } from '../protocol/service.ts';
import { EngineError, type UnsavedValues, type Writes } from './engine.ts';

/**
 * Told of each call that is about to be carried out, and of each that has failed. Returns whether it is a release that was
 * refused for that, and whose caller hears of it: the main side counts it then.
 */
export function noteOutcome(call: Writes, failure: EngineError | undefined): boolean {
  const { operation, caller } = call;
  if (operation === 'saveSnapshot') caller.snapshotFailure = failure;
  if (failure === undefined) return false;
  if (operation === 'saveValue' && call.isAcknowledged) {
    caller.unsavedValues ??= new Map();
    const saves = (caller.unsavedValues.get(call.key)?.saves ?? 0) + 1;
    caller.unsavedValues.set(call.key, { saves, refusal: releaseRefused(failure.code, failure.reported) });
  } else if (operation === 'releaseValue' && caller.unsavedValues !== undefined) {
    const unsaved = caller.unsavedValues.get(call.key);
    // one that has rejected for another reason is called again
    if (unsaved === undefined || (unsaved.refusal !== failure && !call.isAcknowledged)) return false;
    if (--unsaved.saves === 0) caller.unsavedValues.delete(call.key);
    return !call.isAcknowledged;
  }
  return false;
}

/**
 * @param needsSnapshot - whether it is a prune behind a snapshot
 * @throws if the snapshot that the provider called last, or a save of this hash, was not stored
 */
export function refuseUnfounded(call: Writes, needsSnapshot: boolean): void {
  const { snapshotFailure: failure, unsavedValues } = call.caller;
  if (needsSnapshot && failure !== undefined) {
    throw refusal('no patch was deleted, because the snapshot called', failure.code, failure.reported);
  }
  const unsaved = call.operation === 'releaseValue' ? unsavedValues?.get(call.key) : undefined;
  if (unsaved !== undefined) throw unsaved.refusal;
}

function releaseRefused(code: Failure['code'], cause: Failure['cause']): EngineError {
  return refusal('no reference was taken away, because the value saved', code, cause);
}

function refusal(what: string, code: Failure['code'], cause: Failure['cause']): EngineError {
  const message = `${what} before was not stored: ${cause.message}`;
  // it concerns this call alone, whatever the code says in most cases
  return new EngineError(code, { ...cause, message }, true);
}

/** Those that a lost worker knew of. */
export function unsavedOf(known: ProviderMessage['unsavedValues']): UnsavedValues | undefined {
  if (known.length === 0) return undefined;
  return new Map(
    known.map(({ key, saves, failure: { code, cause } }) => [key, { saves, refusal: releaseRefused(code, cause) }]),
  );
}
