/**
 * Opens a database to read it. Which way is right depends on who else may be using the file; each relies on
 * how SQLite treats the files beside a database (https://sqlite.org/wal.html#read_only_databases and
 * https://sqlite.org/uri.html).
 *
 * A database file must never be opened and closed by anything but SQLite here: on POSIX systems that would
 * take away the locks of every connection that this process has on it (https://sqlite.org/howtocorrupt.html, 2.2).
 */
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readSync,
  realpathSync,
  rmSync,
  type Stats,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { DatabaseSync as Database } from 'node:sqlite';
import type { LookWay } from '../../protocol/maintenance.ts';
import { firstRow } from '../node-sqlite.ts';
import { ChangedMeanwhile, OperationError, Stopped, toFailure } from './failure.ts';
import { LogFile } from './log-frames.ts';
import { knowsUrls, openFile } from './open.ts';
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
export function openLook(
  { path: given, untouched, progress, way: known }: LookOptions,
  tries: number,
): { look: Look; check(): void; close(): void } {
  const { path, stats } = locate(given);
  const way = known ?? chooseWay(path, stats, untouched, tries);
  const before = way === 'still' ? stateOf(path) : undefined;
  let look: Look;
  try {
    look = open(path, way);
  } catch (error) {
    if (!isUnreadableThisWay(error)) throw toFailure(error, path);
    // an index that has no place for a reader has one soon
    if (way === 'quiet' && isReadOnly(error) && tries < MOST_TRIES) throw new ChangedMeanwhile(path);
    // what is beside the file can't be used without changing it, which may not be permitted either
    look = openAnyway(path, way);
  }
  progress.opened(look.way);
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

function chooseWay(path: string, stats: Stats, untouched: boolean, tries: number): LookWay {
  const log = statSync(`${path}-wal`, { throwIfNoEntry: false });
  // then a file in use is read as others read it, if it changes too often to be copied
  if (!knowsUrls()) return untouched && tries <= 3 ? 'copy' : 'joins';
  // SQLite removes the log beside a database of no pages, so it must not see it
  if (stats.size === 0) return 'still';
  if (!untouched) return log !== undefined && log.size > 0 ? 'reads' : 'joins';
  const index = existsSync(`${path}-shm`);
  // SQLite tries for ten seconds to make sense of a log that does not begin as one
  if (log !== undefined && index && (log.size === 0 || hasHeader(path))) return 'quiet';
  if (log !== undefined && log.size > 0) return 'copy';
  // a journal is somebody's write under way, or what a crash has left: with locks, SQLite tells which.
  // A file without a log that changes again and again has readers that use locks only.
  return isFilled(`${path}-journal`) || (tries > 3 && !isInLogMode(path)) ? 'reads' : 'still';
}

function isFilled(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/** Whether SQLite would make a log by reading: its format's bytes 18 and 19 tell (https://sqlite.org/fileformat2.html). */
function isInLogMode(path: string): boolean {
  const file = openSync(path, 'r');
  try {
    const header = new Uint8Array(20);
    return readSync(file, header, 0, 20, 0) === 20 && header[18] === 2;
  } finally {
    // nothing else in this process has it open: that is what `untouched` promises
    closeSync(file);
  }
}

const parameters: Record<Exclude<LookWay, 'copy'>, string> = {
  reads: 'mode=ro',
  joins: 'mode=rw',
  quiet: 'mode=ro&readonly_shm=1',
  still: 'immutable=1',
};

function open(path: string, way: LookWay): Look {
  if (way === 'copy') return openCopy(path);
  const database = openFile(path, parameters[way]);
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

function openAnyway(path: string, failed: LookWay): Look {
  const isPlain = failed !== 'still' && !isFilled(`${path}-wal`) && !isFilled(`${path}-journal`);
  try {
    return open(path, isPlain ? 'still' : 'copy');
  } catch (error) {
    throw toFailure(error, path);
  }
}

/** A copy of the file and its log or journal, in a folder that nobody else knows: SQLite may recover it there. */
function openCopy(path: string): Look {
  const folder = mkdtempSync(join(tmpdir(), 'sds-look-'));
  try {
    const readPath = join(folder, 'copy.db');
    // only where nothing in this process has the file open (see above), and no other process does either:
    // one that has leaves an index beside the log
    const [file, log] = [stateOf(path, ['', '-journal']), logStart(path)];
    copyFileSync(path, readPath);
    for (const end of ['-wal', '-journal']) if (existsSync(path + end)) copyFileSync(path + end, readPath + end);
    // a log that has only grown belongs to a file that has not changed
    if (file !== stateOf(path, ['', '-journal']) || log !== logStart(path)) throw new ChangedMeanwhile(path);
    return { ...open(readPath, 'joins'), path, way: 'copy' };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

function close({ database, path, readPath }: Look): void {
  try {
    database.close();
  } finally {
    if (readPath !== path) rmSync(join(readPath, '..'), { recursive: true, force: true });
  }
}

function hasHeader(path: string): boolean {
  const log = new LogFile(`${path}-wal`);
  try {
    return log.hasHeader;
  } finally {
    log.close();
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

/** By what a change of the file shows; a log that has come since holds what the file does not. */
function stateOf(path: string, ends = ['', '-wal', '-journal']): string {
  const parts = ends.map((end) => {
    const stats = statSync(path + end, { bigint: true, throwIfNoEntry: false });
    if (stats === undefined || (end !== '' && stats.size === 0n)) return '-';
    return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join();
  });
  return parts.join(' ');
}

/** The header of the log: another one once it is written anew from its start. */
function logStart(path: string): string {
  if (!isFilled(`${path}-wal`)) return '';
  const log = new LogFile(`${path}-wal`);
  try {
    return log.header().toString('hex');
  } finally {
    log.close();
  }
}
