/** Opens databases by SQLite's URLs, which say more than a path, where this Node knows them. */
import { constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync as Database } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { performance } from '../../../protocol/surroundings.ts';
import { toEngineError } from '../../sqlite/errors.ts';
import { knowsUrls, open } from '../../sqlite/node-sqlite.ts';
import { identityOf, refuseAnother } from '../../sqlite/ordinary-file.ts';
import { refusedAccess } from '../../sqlite/refused-access.ts';

/** How long an operation waits for a file that is busy. */
export const BUSY_MS = 5000;
const BETWEEN_MS = 10;

/** Opens a file that is there; `parameters` as in https://sqlite.org/uri.html. */
export function openFile(path: string, parameters: string): Database {
  if (parameters.startsWith('mode=rw')) {
    // SQLite would open what can't be written, begin a log that is in its owner's way, or say later that the disk has failed
    const refusal = refusedAccess(path, constants.W_OK) ?? refusedAccess(dirname(path), constants.W_OK);
    if (refusal !== undefined) throw refusal;
  }
  if (!knowsUrls()) return open(path, parameters.startsWith('mode=ro'));
  return open(`${pathToFileURL(path).href}?${parameters}`, !parameters.startsWith('mode=rw'));
}

/**
 * Opens a file that is there; `lock` is the first that looks at it, and locks it. A file that is replaced is locked until the
 * other one has its name, and SQLite finds a log by its name: what waited with the old file open would read that with
 * the new one's log, and drop the locks of this process on it. So nothing waits with an open file, and each attempt opens it anew.
 */
export function openLocked(
  path: string,
  parameters: string,
  waitMs: number,
  lock: (database: Database) => void,
): Database {
  const until = performance.now() + waitMs;
  for (;;) {
    try {
      return openOnce(path, parameters, waitMs, lock);
    } catch (error) {
      if (!isBusy(error) || performance.now() >= until) throw error;
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BETWEEN_MS);
  }
}

function openOnce(path: string, parameters: string, waitMs: number, lock: (database: Database) => void): Database {
  const before = statSync(path, { bigint: true });
  const database = openFile(path, parameters);
  try {
    database.exec('PRAGMA busy_timeout = 0');
    refuseAnother(before, identityOf(path));
    try {
      lock(database);
    } finally {
      // even if it has failed: that says nothing about the new file
      refuseAnother(before, identityOf(path));
    }
    database.exec(`PRAGMA busy_timeout = ${waitMs}`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

export function isBusy(error: unknown): boolean {
  return toEngineError(error).code === 'database-busy';
}
