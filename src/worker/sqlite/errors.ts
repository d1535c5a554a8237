/** From SQLite's result codes (https://sqlite.org/rescode.html) to the codes that callers see. */
import { type ReportedCause, reportedOf, type SDS_PersistenceErrorCode } from '../../protocol/errors.ts';
import { EngineError } from '../engine.ts';

export const READ_ONLY = 8;
export const IO_ERROR = 10;
export const CANNOT_OPEN = 14;
export const PROTOCOL = 15;
const TOO_BIG = 18;
export const CONSTRAINT = 19;
export const NOT_A_DATABASE = 26;
export const HOT_JOURNAL = 776;
/** SQLITE_IOERR_READ and _CORRUPTFS. */
export const READ_ERRORS = [266, 8458];
/** SQLITE_IOERR_SHMOPEN, _SHMSIZE and _SHMMAP: of the log's index. */
export const INDEX_ERRORS = [4618, 4874, 5386];

const codes: Record<number, SDS_PersistenceErrorCode> = {
  5: 'database-busy', // SQLITE_BUSY
  6: 'database-busy', // SQLITE_LOCKED
  [READ_ONLY]: 'read-only',
  11: 'database-corrupt',
  13: 'database-full',
  [CANNOT_OPEN]: 'open-failed',
  [TOO_BIG]: 'database-corrupt', // unless a call has brought it: a row is longer than any that SQLite stores
  [NOT_A_DATABASE]: 'database-corrupt',
  522: 'database-corrupt', // SQLITE_IOERR_SHORT_READ: the file ends where a row goes on
};

/** The extended code's low byte; 0 if it was not SQLite that has reported this. */
export function primaryCode({ errcode = 0 }: ReportedCause): number {
  return errcode & 0xff;
}

export function isTooBig(thrown: unknown): boolean {
  return primaryCode(reportedOf(thrown)) === TOO_BIG;
}

/** Gives whatever was thrown a code; SQLite's own words stay with it. */
export function toEngineError(thrown: unknown): EngineError {
  if (thrown instanceof EngineError) return thrown;
  const reported = reportedOf(thrown);
  if (reported.code === 'ERR_OUT_OF_RANGE') return strangeRow(reported.message);
  const primary = primaryCode(reported);
  // tables of ours have none that a call could break: those of the program may refer to them, or have triggers
  if (primary === CONSTRAINT || reported.message.startsWith('foreign key mismatch')) {
    const message = `a rule of another table in the file forbids it (${reported.message}); look at the foreign keys and triggers there`;
    return new EngineError('invalid-argument', { message });
  }
  if (reported.message === 'unsupported file format') return new EngineError('database-corrupt', reported);
  return new EngineError(codes[reported.errcode ?? 0] ?? codes[primary] ?? 'io-error', reported);
}

/** What is stored where a provider reads, though none of this package writes it so: SQLite finds no fault in the file. */
export function strangeRow(what: string): EngineError {
  const message = `a row is as no provider of this package writes it (${what}); 'verify' lists such rows, 'copy --salvage' leaves them out`;
  return new EngineError('database-corrupt', { message });
}

/** While opening, whatever is no trouble of another kind means that it could not be opened. */
export function toOpenError(thrown: unknown): EngineError {
  const error = toEngineError(thrown);
  const primary = primaryCode(error.reported);
  const vague =
    (error.code === 'io-error' && primary !== IO_ERROR && error.reported.code !== 'EIO') ||
    error.code === 'invalid-argument' ||
    primary === NOT_A_DATABASE;
  return vague ? new EngineError('open-failed', error.reported) : error;
}
