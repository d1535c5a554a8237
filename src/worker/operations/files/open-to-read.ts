/**
 * Opens a database to read it, and leaves it, its log and its journal as they are (https://sqlite.org/wal.html#read_only_databases
 * and https://sqlite.org/uri.html).
 *
 * A database file must never be opened and closed by anything but SQLite here: on POSIX systems that would
 * take away the locks of every connection that this process has on it (https://sqlite.org/howtocorrupt.html, 2.2).
 */
import { readSync, statSync } from 'node:fs';
import type { DatabaseSync as Database } from 'node:sqlite';
import { reportedOf } from '../../../protocol/errors.ts';
import { ifPossible } from '../../../protocol/if-possible.ts';
import { withOpen } from '../../../protocol/with-open.ts';
import { CANNOT_OPEN, HOT_JOURNAL, INDEX_ERRORS, PROTOCOL, READ_ONLY, toEngineError } from '../../sqlite/errors.ts';
import { firstValue, knowsUrls } from '../../sqlite/node-sqlite.ts';
import { identityOf } from '../../sqlite/ordinary-file.ts';
import { refusedLog } from '../../sqlite/refused-access.ts';
import { ChangedMeanwhile, OperationError, Stopped, toFailure } from '../failure.ts';
import { locate } from './locate.ts';
import { BUSY_MS, openLocked } from './open.ts';

/** As SQLite's URLs have it: with the locks of any reader, or without a lock, what the file holds and not what a log does. */
type ReadMode = 'mode=ro' | 'immutable=1';

/** How often a file may change while it is read, where no lock is to be had. */
const MOST_TRIES = 6;

export interface Reading {
  readonly database: Database;
  /** Throws if the file has changed while it was read without a lock. */
  check(): void;
}

/**
 * Calls `work`, which may open files; again, with locks, if one of them has changed while it was read without.
 *
 * @param mayBeCut - whether they may lack pages at their end
 */
export async function untilUnchanged<T>(
  work: (read: (path: string) => Reading) => Promise<T>,
  mayBeCut = false,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    const readings: Reading[] = [];
    const read = (path: string) => {
      const reading = openForReading(path, tries > 1, mayBeCut);
      readings.push(reading);
      return reading;
    };
    try {
      return await work(read).catch((error) => {
        // what was read while it changed may look like damage
        if (!(error instanceof Stopped)) for (const reading of readings) reading.check();
        throw error;
      });
    } catch (error) {
      if (!(error instanceof ChangedMeanwhile) || tries === MOST_TRIES) throw error;
    } finally {
      for (const { database } of readings) database.close();
    }
  }
}

/** Calls `work` with the open database, as `untilUnchanged`. */
export function withReading<T>(path: string, work: (reading: Reading) => T | Promise<T>): Promise<T> {
  return untilUnchanged(async (read) => {
    const reading = read(path);
    try {
      const result = await work(reading);
      reading.check();
      return result;
    } catch (error) {
      throw toFailure(error, path);
    }
  });
}

/** @param locks - whether it is read with locks in any case: it has changed while it was read without */
function openForReading(path: string, locks: boolean, mayBeCut: boolean): Reading {
  const { size } = locate(path);
  const before = stateOf(path);
  const requireUnchanged = () => {
    if (before !== stateOf(path)) throw new ChangedMeanwhile(path);
  };
  try {
    const { database, mode } = open(path, size, locks, mayBeCut);
    return { database, check: mode === 'immutable=1' ? requireUnchanged : () => {} };
  } catch (error) {
    if (!locks) requireUnchanged();
    throw error;
  }
}

function open(path: string, size: number, locks: boolean, mayBeCut: boolean): { database: Database; mode: ReadMode } {
  // What is in no log is in the file; a reader like others would leave an empty log there. And SQLite removes the log beside
  // a database of no pages, so it must not see it.
  const isPlain = identityOf(`${path}-wal`) === undefined && !holdsPages(`${path}-journal`);
  const refusal = isPlain && !locks ? undefined : refusedLog(path);
  if (refusal !== undefined && holdsBytes(`${path}-wal`)) {
    throw new OperationError('open-failed', path, LACKS_INDEX, reportedOf(refusal));
  }
  const mayNotMakeLog = refusal !== undefined && !holdsPages(`${path}-journal`);
  const readsWithoutLocks = size === 0 || (isPlain && !locks) || mayNotMakeLog;
  const mode = readsWithoutLocks ? 'immutable=1' : 'mode=ro';
  try {
    return { database: openIn(mode, path, mayBeCut), mode };
  } catch (error) {
    const { code, reported } = error as OperationError;
    const errcode = reported?.errcode ?? 0;
    if (errcode === HOT_JOURNAL) throw new OperationError('open-failed', path, KILLED_IN_THE_MIDDLE, reported);
    const lacksIndex = [CANNOT_OPEN, READ_ONLY, PROTOCOL].includes(errcode & 0xff) || INDEX_ERRORS.includes(errcode);
    if (mode === 'immutable=1' || !lacksIndex || code === 'database-full') throw error;
    if (holdsBytes(`${path}-wal`) || !knowsUrls()) throw new OperationError('open-failed', path, LACKS_INDEX, reported);
  }
  return { database: openIn('immutable=1', path, mayBeCut), mode: 'immutable=1' };
}

const KILLED_IN_THE_MIDDLE =
  'a program that was killed, or could not write, has left a rollback journal beside it, without which it is half-written: open it once with a program that may write to it, such as a provider';
/** In a folder, or on a file system, that can't be written; or the rights do not permit to read it. */
const LACKS_INDEX =
  'the file can not be opened, or the index of its log not be made; check the rights, or copy the file and its log (-wal) into a folder that can be written, and look at it there';

/** @throws OperationError */
function openIn(mode: ReadMode, path: string, mayBeCut: boolean): Database {
  try {
    return openLocked(path, mode, BUSY_MS, (database) => {
      // a cut file can't end the process
      database.exec('PRAGMA query_only = ON; PRAGMA mmap_size = 0');
      // SQLite refuses such a file, except to one who may mend its schema, and who is told of no fault in that
      if (mayBeCut && lacksPages(database)) {
        database.enableDefensive?.(false);
        database.exec('PRAGMA writable_schema = ON');
      }
      // one state of the file for all that is read
      database.exec('BEGIN');
      firstValue(database, 'SELECT count(*) FROM sqlite_schema');
    });
  } catch (error) {
    throw toFailure(error, path);
  }
}

/** What reads no schema fails only where pages are missing at the end. */
function lacksPages(database: Database): boolean {
  try {
    firstValue(database, 'PRAGMA schema_version');
    return false;
  } catch (error) {
    return toEngineError(error).code === 'database-corrupt';
  }
}

export function holdsBytes(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/**
 * Whether a rollback journal may have to be played back: its first byte is 0 if it holds nothing
 * (https://sqlite.org/fileformat2.html#the_rollback_journal). No lock is held on a journal, so it may be opened here.
 */
export function holdsPages(journal: string): boolean {
  if (!holdsBytes(journal)) return false;
  const first = new Uint8Array([1]); // it stays so if it can't be read: SQLite says why
  ifPossible(() => withOpen(journal, 'r', (file) => readSync(file, first)));
  return first[0] !== 0;
}

/** By what a change of the file shows; a log that has come since holds what the file does not. */
function stateOf(path: string): string {
  const parts = ['', '-wal', '-journal'].map((end) => {
    const stats = statSync(path + end, { bigint: true, throwIfNoEntry: false });
    if (stats === undefined || (end !== '' && stats.size === 0n)) return '-';
    return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join();
  });
  return parts.join(' ');
}
