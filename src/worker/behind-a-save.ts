/**
 * What relies on a save of which the program could not know at the call that it failed: its promise had resolved, or was still
 * pending. A prune would delete patches that are in no snapshot, and a release would take the reference of somebody else,
 * and with the last one the value that this one still needs: so they do nothing, and fail as well.
 */
import type { Failure } from '../protocol/errors.ts';
import { FailedSaves, isUnheard } from '../protocol/failed-saves.ts';
import type { ProviderMessage } from '../protocol/service.ts';
import { EngineError, type Writes } from './engine.ts';

/**
 * Told of each call of a batch that has failed, and of those of a lost worker that have not. Returns whether it is a release that was
 * refused for that, and whose caller hears of it: the main side counts it then.
 */
export function noteOutcome(call: Writes, failure: EngineError | undefined, number: number): boolean {
  const { operation, member, heard } = call;
  const batch = call.isAcknowledged ? undefined : number;
  if (operation === 'saveSnapshot') member.snapshotFailure = failure && { failure, batch };
  if (failure === undefined) return false;
  if (operation === 'saveValue') {
    member.failedSaves ??= new FailedSaves();
    member.failedSaves.add({ key: call.key, failure: releaseRefused(failure.code, failure.reported), batch }, heard);
  } else if (operation === 'releaseValue') {
    const refusal = member.failedSaves?.before(call.key, heard);
    // one that has rejected for another reason is called again
    if (refusal === undefined || (refusal !== failure && !call.isAcknowledged)) return false;
    member.failedSaves?.released(call.key);
    return !call.isAcknowledged;
  }
  return false;
}

/** @throws if the snapshot that the provider called last, or a save of this hash, was not stored, which it could not know */
export function refuseUnfounded(call: Writes): void {
  const { operation, heard } = call;
  const { snapshotFailure: last, failedSaves } = call.member;
  failedSaves?.forgetHeard(heard);
  if (operation === 'prunePatches' && last !== undefined && isUnheard(last.batch, heard)) {
    throw refusal('no patch was deleted, because the snapshot called', last.failure.code, last.failure.reported);
  }
  const refused = operation === 'releaseValue' ? failedSaves?.before(call.key, heard) : undefined;
  if (refused !== undefined) throw refused;
}

function releaseRefused(code: Failure['code'], cause: Failure['cause']): EngineError {
  return refusal('no reference was taken away, because the value saved', code, cause);
}

function refusal(what: string, code: Failure['code'], cause: Failure['cause']): EngineError {
  const message = `${what} before was not stored: ${cause.message}`;
  // it concerns this call alone, whatever the code says in most cases
  return new EngineError(code, { ...cause, message }, true);
}

/** What a lost worker knew of. */
export function failedBefore({ snapshotFailure: last, failedSaves }: ProviderMessage) {
  const saves = failedSaves.map(({ failure: { code, cause }, ...save }) => {
    return { ...save, failure: releaseRefused(code, cause) };
  });
  return {
    snapshotFailure: last && { batch: last.batch, failure: new EngineError(last.failure.code, last.failure.cause) },
    failedSaves: saves.length > 0 ? new FailedSaves(saves) : undefined,
  };
}
