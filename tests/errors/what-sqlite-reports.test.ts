/** The code that stands for what SQLite or the system has reported, in the middle of a file's work and while it is opened. */
import { expect, it } from 'vitest';
import { toEngineError, toOpenError } from '../../src/worker/sqlite/errors.ts';

it.each([
  ['a file that another connection has locked', { errcode: 5 }, 'database-busy', 'database-busy'],
  ['a log that another connection recovers (SQLITE_BUSY_RECOVERY)', { errcode: 261 }, 'database-busy', 'database-busy'],
  ['a file that may only be read', { errcode: 8 }, 'read-only', 'read-only'],
  ['a disk that fails', { errcode: 10 }, 'io-error', 'io-error'],
  ['a disk that fails to write (SQLITE_IOERR_WRITE)', { errcode: 778 }, 'io-error', 'io-error'],
  ['a file that ends too early (SQLITE_IOERR_SHORT_READ)', { errcode: 522 }, 'database-corrupt', 'database-corrupt'],
  ['a damaged file', { errcode: 11 }, 'database-corrupt', 'database-corrupt'],
  ['a full disk', { errcode: 13 }, 'database-full', 'database-full'],
  ['a file that can not be opened', { errcode: 14 }, 'open-failed', 'open-failed'],
  ['a row that is too long', { errcode: 18 }, 'database-corrupt', 'database-corrupt'],
  ['a rule of a table of the program’s own', { errcode: 19 }, 'invalid-argument', 'open-failed'],
  ['a file that is no database', { errcode: 26 }, 'database-corrupt', 'open-failed'],
  [
    'a format of a later version',
    { errcode: 1, message: 'unsupported file format' },
    'database-corrupt',
    'database-corrupt',
  ],
  [
    'a broken foreign key',
    { errcode: 1, message: 'foreign key mismatch - "a" referencing "b"' },
    'invalid-argument',
    'open-failed',
  ],
  ['whatever else SQLite does not say more of', { errcode: 1 }, 'io-error', 'open-failed'],
  ['a number that is none of JavaScript’s', { code: 'ERR_OUT_OF_RANGE' }, 'database-corrupt', 'database-corrupt'],
  ['a disk that fails, as the system says', { code: 'EIO' }, 'io-error', 'io-error'],
  ['whatever else the system says', { code: 'EMFILE' }, 'io-error', 'open-failed'],
])('%s', (_, report, whileOpen, whileOpening) => {
  const thrown = Object.assign(new Error('as it was reported'), report);
  expect([toEngineError(thrown).code, toOpenError(thrown).code]).toEqual([whileOpen, whileOpening]);
});
