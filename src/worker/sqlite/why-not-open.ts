/** Why a database file can't be opened: what is seen before, and what the system says after SQLite has failed. */
import { constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { reportedOf } from '../../protocol/errors.ts';
import { EngineError } from '../engine.ts';
import { withSystemReason } from './no-room.ts';
import { type DatabaseName, type Identity, whyNoFile } from './ordinary-file.ts';
import { noMoreFiles, refusedAccess, refusedLog } from './refused-access.ts';

export const NOT_PERMITTED = ['EACCES', 'EPERM', 'EROFS'];

/** SQLite says no more than "unable to open", also where it may read the file but not write beside it; the system says why. */
export function whyNotOpen(failed: EngineError, { path, transient }: DatabaseName): EngineError {
  if (transient) return failed;
  const failure = withSystemReason(failed, path);
  // without a code of SQLite it is the system that has spoken
  if (failure.code !== 'open-failed' || failure.reported.errcode === undefined) return failure;
  const unreadable = refusedAccess(path, constants.R_OK);
  const isThere = unreadable === undefined;
  const tooMany = noMoreFiles(dirname(path));
  const refusal =
    (isThere ? refusedAccess(path, constants.W_OK) : undefined) ??
    (unreadable?.code === 'ENOENT' ? undefined : unreadable) ?? // a part of the path may be a file
    refusedAccess(dirname(path), constants.W_OK) ??
    tooMany;
  if (refusal === undefined) return failure;
  // what can't even be read is not to be had; what can be read, but not written, is read-only
  const isForbidden = isThere && NOT_PERMITTED.includes(refusal.code ?? '');
  const message = `${failure.reported.message}: ${refusal.message}`;
  const code = refusal === tooMany ? refusal.code : failure.reported.code;
  return new EngineError(isForbidden ? 'read-only' : 'open-failed', { ...failure.reported, message, code });
}

/** The file that is there, if one is; refuses what is none. SQLite says only "unable to open", or "disk I/O error" once it has written to a device. */
export function lookAtFile({ path, parameters, transient }: DatabaseName): Identity | undefined {
  if (transient) return undefined;
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  const message = whyNoFile(path, found);
  if (message !== undefined) {
    throw new EngineError('open-failed', found?.isDirectory() ? { message, code: 'EISDIR' } : { message });
  }
  const refusal = found === undefined || parameters.includes('immutable=') ? undefined : refusedLog(path);
  if (refusal !== undefined) throw new EngineError('read-only', reportedOf(refusal));
  return found;
}
