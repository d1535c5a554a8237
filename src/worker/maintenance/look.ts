/**
 * Opens a database to read it. Which way is right depends on who else may be using the file; each relies on
 * how SQLite treats the files beside a database (https://sqlite.org/wal.html#read_only_databases and
 * https://sqlite.org/uri.html).
 *
 * A database file must never be opened and closed by anything but SQLite here: on POSIX systems that would
 * take away the locks of every connection that this process has on it (https://sqlite.org/howtocorrupt.html, 2.2).
 */
import { realpathSync, type Stats, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { DatabaseSync as Database } from 'node:sqlite';
import type { LookWay } from '../../protocol/maintenance.ts';
import { firstRow } from '../node-sqlite.ts';
import { ChangedMeanwhile, OperationError, Stopped, toFailure } from './failure.ts';
import { chooseWay, isFilled, wayParameters } from './look-way.ts';
import { openFile } from './open.ts';
import { makePrivateCopy, removePrivateCopy, stateOf } from './private-copy.ts';
import type { Progress } from './progress.ts';

/** So often a file may change while it is read without a lock. */
const MOST_TRIES = 6;
const BUSY_MS = 5000;
const HOT_JOURNAL = 776;
const CANNOT_OPEN = 14;
const READ_ONLY = 8;
const PROTOCOL = 15;

export interface Look {
  readonly database: Database;
  /** The real path of the file that was asked for. */
  readonly path: string;
  /** The file that is read: another one if a copy had to be made. */
  readonly readPath: string;
  readonly way: LookWay;
}

export interface LookOptions {
  path: string;
  untouched: boolean;
  /** Nothing is made from what is read, so that it may be read again, and need not be kept as it is meanwhile. */
  looks: boolean;
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
  const { path, stats } = locate(options.path);
  const way = options.way ?? chooseWay(path, stats, options, tries);
  const before = way === 'still' ? stateOf(path) : undefined;
  let look: Look;
  try {
    look = open(path, way, options);
  } catch (error) {
    if (!isUnreadableThisWay(error)) throw toFailure(error, path);
    // an index that has no place for a reader has one soon
    if (way === 'quiet' && isReadOnly(error) && tries < MOST_TRIES) throw new ChangedMeanwhile(path);
    // what is beside the file can't be used without changing it, which may not be permitted either
    look = openAnyway(path, way, options);
  }
  options.progress.opened(look.way);
  return {
    look,
    check() {
      if (before !== undefined && before !== stateOf(path)) throw new ChangedMeanwhile(path);
    },
    close: () => close(look),
  };
}

/** The file behind a name, if it is an ordinary one; anything else is never opened (a pipe would not answer). */
export function locate(given: string): { path: string; stats: Stats } {
  const name = resolve(given);
  try {
    const path = realpathSync.native(name);
    const stats = statSync(path);
    if (stats.isFile()) return { path, stats };
    const what = stats.isDirectory() ? 'this is a folder, not a database file' : 'this is not an ordinary file';
    throw new OperationError('open-failed', name, what);
  } catch (error) {
    throw toFailure(error, name);
  }
}

function open(path: string, way: LookWay, options: LookOptions): Look {
  if (way === 'copy') return openCopy(path, options);
  const database = openFile(path, wayParameters[way]);
  try {
    setUpReading(database);
    return { database, path, readPath: path, way };
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

function openAnyway(path: string, failed: LookWay, options: LookOptions): Look {
  const isPlain = failed !== 'still' && !isFilled(`${path}-wal`) && !isFilled(`${path}-journal`);
  try {
    return open(path, isPlain ? 'still' : 'copy', options);
  } catch (error) {
    throw toFailure(error, path);
  }
}

function openCopy(path: string, options: LookOptions): Look {
  const readPath = makePrivateCopy(path, options.progress);
  try {
    return { ...open(readPath, 'joins', options), path, way: 'copy' };
  } catch (error) {
    removePrivateCopy(readPath);
    throw error;
  }
}

function close({ database, path, readPath }: Look): void {
  try {
    database.close();
  } finally {
    if (readPath !== path) removePrivateCopy(readPath);
  }
}

function isReadOnly(error: unknown): boolean {
  return ((error as { errcode?: number }).errcode ?? 0) % 256 === READ_ONLY;
}

/** Rights, a journal that must be rolled back, an index that nobody may write: another way may do. */
function isUnreadableThisWay(error: unknown): boolean {
  const errcode = (error as { errcode?: number }).errcode ?? 0;
  return errcode === HOT_JOURNAL || [CANNOT_OPEN, READ_ONLY, PROTOCOL].includes(errcode & 0xff);
}
