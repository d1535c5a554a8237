/**
 * Opens a database to read it, and leaves it, its log and its journal as they are (https://sqlite.org/wal.html#read_only_databases
 * and https://sqlite.org/uri.html).
 *
 * A database file must never be opened and closed by anything but SQLite here: on POSIX systems that would
 * take away the locks of every connection that this process has on it (https://sqlite.org/howtocorrupt.html, 2.2).
 */
import { existsSync, type Stats, statSync } from 'node:fs';
import type { DatabaseSync as Database } from 'node:sqlite';
import type { LookWay } from '../../../protocol/operation-messages.ts';
import { firstRow, knowsUrls } from '../../sqlite/node-sqlite.ts';
import { ChangedMeanwhile, OperationError, Stopped, toFailure } from '../failure.ts';
import type { Progress } from '../progress.ts';
import { openFile } from './open.ts';

const parameters: Record<LookWay, string> = {
  reads: 'mode=ro',
  still: 'immutable=1',
  alone: `mode=ro&vfs=${process.platform === 'win32' ? 'win32-none' : 'unix-none'}`,
};

/** So often a file may change while it is read without a lock, and so often one without a log is read like that. */
const MOST_TRIES = 6;
const STILL_TRIES = 3;
const BUSY_MS = 5000;
const HOT_JOURNAL = 776;
const CANNOT_OPEN = 14;
const READ_ONLY = 8;
const PROTOCOL = 15;
/** SQLITE_IOERR_SHMOPEN, _SHMSIZE and _SHMMAP. */
const NO_INDEX = [4618, 4874, 5386];

export interface Look {
  readonly database: Database;
  readonly path: string;
  readonly way: LookWay;
}

export interface LookOptions {
  path: string;
  progress: Progress;
  /** A way that was found already. */
  way?: LookWay;
}

/** Calls `read` with the open database; again if the file changed while it was read without a lock. */
export function withLook<T>(options: LookOptions, read: (look: Look) => T): T {
  for (let tries = 1; ; tries++) {
    try {
      return lookOnce(options, tries, read);
    } catch (error) {
      const mayTryAgain = error instanceof ChangedMeanwhile && options.way === undefined && tries < MOST_TRIES;
      if (!mayTryAgain) throw error;
    }
  }
}

function lookOnce<T>(options: LookOptions, tries: number, read: (look: Look) => T): T {
  const { look, check, close } = openLook(options, tries);
  try {
    const result = read(look);
    check();
    return result;
  } catch (error) {
    // what was read while it changed may look like damage
    if (!(error instanceof Stopped)) check();
    throw toFailure(error, look.path);
  } finally {
    close();
  }
}

/** For a reader that takes its time: `check` throws if the file has changed while it was read without a lock. */
export function openLook(options: LookOptions, tries: number): { look: Look; check(): void; close(): void } {
  const { path } = options;
  const { size } = locate(path);
  const before = stateOf(path);
  const look = open(path, options.way ?? chooseWay(path, size, tries));
  options.progress.opened(look.way);
  return {
    look,
    check() {
      if (look.way !== 'reads' && before !== stateOf(path)) throw new ChangedMeanwhile(path);
    },
    close: () => look.database.close(),
  };
}

/** The file of that path, if it is an ordinary one; anything else is never opened (a pipe would not answer). */
export function locate(path: string): Stats {
  try {
    const stats = statSync(path);
    if (stats.isFile()) return stats;
    const what = stats.isDirectory() ? 'this is a folder, not a database file' : 'this is not an ordinary file';
    throw new OperationError('open-failed', path, what);
  } catch (error) {
    throw toFailure(error, path);
  }
}

function chooseWay(path: string, size: number, tries: number): LookWay {
  // SQLite removes the log beside a database of no pages, so it must not see it
  if (size === 0) return 'still';
  // what is in no log is in the file; a reader like others would leave an empty log there
  const isPlain = !existsSync(`${path}-wal`) && !isFilled(`${path}-journal`);
  return isPlain && tries <= STILL_TRIES ? 'still' : 'reads';
}

function open(path: string, way: LookWay): Look {
  try {
    return openIn(way, path);
  } catch (error) {
    const errcode = (error as { errcode?: number }).errcode ?? 0;
    if (errcode === HOT_JOURNAL) {
      const detail =
        'a program that was killed has left a rollback journal beside it, without which it is half-written: open it once with a program that may write to it, such as a provider';
      throw new OperationError('open-failed', path, detail, { message: (error as Error).message, errcode });
    }
    // the log's index can't be made, or not be written: rights, a file system that is read-only, or a full one
    const isUnreadable = [CANNOT_OPEN, READ_ONLY, PROTOCOL].includes(errcode & 0xff) || NO_INDEX.includes(errcode);
    if (way !== 'reads' || !isUnreadable || !knowsUrls()) throw toFailure(error, path);
    try {
      return openIn(existsSync(`${path}-wal`) ? 'alone' : 'still', path);
    } catch (again) {
      throw toFailure(again, path);
    }
  }
}

function openIn(way: LookWay, path: string): Look {
  const database = openFile(path, parameters[way]);
  try {
    // the index of its log is in this thread's memory then
    if (way === 'alone') database.exec('PRAGMA locking_mode = EXCLUSIVE');
    setUpReading(database);
    return { database, path, way };
  } catch (error) {
    database.close();
    throw error;
  }
}

function setUpReading(database: Database): void {
  // functions and virtual tables that a stranger's schema calls must be harmless ones
  database.exec('PRAGMA trusted_schema = OFF; PRAGMA query_only = ON; PRAGMA cell_size_check = ON');
  // sorting needs no file beside the database, and a cut file can't end the process
  database.exec('PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0');
  database.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
  // one state of the file for all that is read
  database.exec('BEGIN');
  firstRow(database.prepare('SELECT count(*) FROM sqlite_schema'));
}

function isFilled(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/** By what a change of the file shows; a log that has come since holds what the file does not. */
function stateOf(path: string): string {
  const parts = ['', '-wal', '-journal'].map((end) => {
    const stats = statSync(path + end, { bigint: true, throwIfNoEntry: false });
    if (stats === undefined || (end !== '' && stats.size === 0n)) return '-';
    // by opening a log SQLite gives it its owner anew, as root
    const changedAt = end === '-wal' ? '' : stats.ctimeNs;
    return [stats.dev, stats.ino, stats.size, stats.mtimeNs, changedAt].join();
  });
  return parts.join(' ');
}
