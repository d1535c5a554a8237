/**
 * A release behind a save whose promise resolved before it was committed: the program believes that its reference is
 * counted. If it could not be stored, the release would take the reference of somebody else, and with the last one the
 * value that this one still needs; so it takes none, and fails as well.
 */
import type { Failure } from '../protocol/errors.ts';
import type { ProviderMessage } from '../protocol/service.ts';
import { EngineError, type UnsavedValues, type Writes } from './engine.ts';

/**
 * Told of each call that has failed; of other ones than those of values it takes no notice. Returns whether it is a release
 * that was refused for that, and whose caller hears of it: the main side counts it then.
 */
export function noteFailure(call: Writes, failure: EngineError): boolean {
  const { operation, caller } = call;
  if (operation === 'saveValue' && call.isAcknowledged) {
    caller.unsavedValues ??= new Map();
    const saves = (caller.unsavedValues.get(call.key)?.saves ?? 0) + 1;
    caller.unsavedValues.set(call.key, { saves, refusal: refusalOf(failure.code, failure.reported) });
  } else if (operation === 'releaseValue' && caller.unsavedValues !== undefined) {
    const unsaved = caller.unsavedValues.get(call.key);
    // one that has rejected for another reason is called again
    if (unsaved === undefined || (unsaved.refusal !== failure && !call.isAcknowledged)) return false;
    if (--unsaved.saves === 0) caller.unsavedValues.delete(call.key);
    return !call.isAcknowledged;
  }
  return false;
}

function refusalOf(code: Failure['code'], cause: Failure['cause']): EngineError {
  const message = `no reference was taken away, because the value saved before was not stored: ${cause.message}`;
  // it concerns this call alone, whatever the code says in most cases
  return new EngineError(code, { ...cause, message }, true);
}

/** Those that a lost worker knew of. */
export function unsavedOf(known: ProviderMessage['unsavedValues']): UnsavedValues | undefined {
  if (known.length === 0) return undefined;
  return new Map(
    known.map(({ key, saves, failure: { code, cause } }) => [key, { saves, refusal: refusalOf(code, cause) }]),
  );
}

/** @throws if a save of this hash that the provider has called before was not stored */
export function refuseRelease({ operation, caller, key }: Writes): void {
  const unsaved = operation === 'releaseValue' ? caller.unsavedValues?.get(key) : undefined;
  if (unsaved !== undefined) throw unsaved.refusal;
}
