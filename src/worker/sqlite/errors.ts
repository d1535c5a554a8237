/** From SQLite's result codes (https://sqlite.org/rescode.html) to the codes that callers see. */
import { reportedOf, type SDS_PersistenceErrorCode } from '../../protocol/errors.ts';
import { EngineError } from '../engine.ts';

const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_TOOBIG = 18;
const SQLITE_NOTADB = 26;

const codes: Record<number, SDS_PersistenceErrorCode> = {
  [SQLITE_BUSY]: 'database-busy',
  [SQLITE_LOCKED]: 'database-busy',
  [SQLITE_READONLY]: 'read-only',
  [SQLITE_CORRUPT]: 'database-corrupt',
  [SQLITE_FULL]: 'database-full',
  [SQLITE_CANTOPEN]: 'open-failed',
  [SQLITE_TOOBIG]: 'invalid-argument',
  [SQLITE_NOTADB]: 'database-corrupt',
};

/** Gives whatever was thrown a code; SQLite's own words stay with it. */
export function toEngineError(thrown: unknown): EngineError {
  if (thrown instanceof EngineError) return thrown;
  const reported = reportedOf(thrown);
  const { code, errcode } = reported;
  if (code === 'ERR_OUT_OF_RANGE') return new EngineError('database-corrupt', reported); // a number that no provider of ours writes
  // the extended code's low byte is the primary one
  return new EngineError((errcode === undefined ? undefined : codes[errcode & 0xff]) ?? 'io-error', reported);
}

/** While opening, whatever is no trouble of another kind means that it could not be opened. */
export function toOpenError(thrown: unknown): EngineError {
  const error = toEngineError(thrown);
  const primary = (error.reported.errcode ?? 0) & 0xff;
  const vague =
    (error.code === 'io-error' && primary !== SQLITE_IOERR && error.reported.code !== 'EIO') ||
    error.code === 'invalid-argument' ||
    primary === SQLITE_NOTADB;
  return vague ? new EngineError('open-failed', error.reported) : error;
}
