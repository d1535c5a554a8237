/**
 * A release behind a save whose promise resolved before it was committed: the program believes that its reference is
 * counted. If it could not be stored, the release would take the reference of somebody else, and with the last one the
 * value that this one still needs; so it takes none, and fails as well.
 */
import { RELEASE_VALUE, SAVE_VALUE } from '../protocol/entries.ts';
import { EngineError, type Writes } from './engine.ts';

/** By hash: how many saves failed whose releases are still to come, and what these fail with. */
export type UnsavedValues = Map<string, { saves: number; refusal: EngineError }>;

/** Told of each call that has failed; of other ones than those of values it takes no notice. */
export function noteFailure(call: Writes, failure: EngineError): void {
  const { operation, caller } = call;
  if (operation === SAVE_VALUE && call.isAcknowledged) {
    const { code, reported } = failure;
    const message = `no reference was taken away, since the value saved before was not stored: ${reported.message}`;
    // it concerns this call alone, whatever the code says in most cases
    const refusal = new EngineError(code, { ...reported, message }, true);
    caller.unsavedValues ??= new Map();
    const saves = (caller.unsavedValues.get(call.key)?.saves ?? 0) + 1;
    caller.unsavedValues.set(call.key, { saves, refusal });
  } else if (operation === RELEASE_VALUE && caller.unsavedValues !== undefined) {
    const unsaved = caller.unsavedValues.get(call.key);
    // one that has rejected for another reason is called again
    if (unsaved === undefined || (unsaved.refusal !== failure && !call.isAcknowledged)) return;
    if (--unsaved.saves === 0) caller.unsavedValues.delete(call.key);
  }
}

/** @throws if a save of this hash that the provider has called before was not stored */
export function refuseRelease({ operation, caller, key }: Writes): void {
  const unsaved = operation === RELEASE_VALUE ? caller.unsavedValues?.get(key) : undefined;
  if (unsaved !== undefined) throw unsaved.refusal;
}
