/** Puts a finished file under its final name, also where a database is there that others must not be using. */
import { chmodSync, chownSync, type Stats, statSync } from 'node:fs';
import type { DatabaseSync as Database } from 'node:sqlite';
import { ifPossible } from '../../../protocol/if-possible.ts';
import { toEngineError } from '../../sqlite/errors.ts';
import { firstValue, keepsStatementsOpen, knowsUrls } from '../../sqlite/node-sqlite.ts';
import { identityOf, isSame, removeFile } from '../../sqlite/ordinary-file.ts';
import { OperationError, toFailure } from '../failure.ts';
import { existingAt } from './locate.ts';
import { isBusy, openFile, openLocked } from './open.ts';
import { type PartialFile, refuseForeignLog } from './partial-file.ts';

/** What is at the target of a copy; what would forbid putting the copy there is said before the work is done. */
export function placeFor(source: string, target: string, overwrite: boolean): Stats | undefined {
  const existing = existingAt(target);
  if (isSame(identityOf(source), identityOf(target))) {
    throw new OperationError('invalid-argument', target, 'source and target are the same file; name another target');
  }
  if (existing === undefined) {
    refuseForeignLog(target);
    return undefined;
  }
  const detail = 'a file of this name is there already; it was left as it is: Overwrite replaces it';
  if (!overwrite) throw new OperationError('file-exists', target, detail);
  // where closing does not close it, this would keep it from being replaced
  if (keepsStatementsOpen()) return existing;
  try {
    takeOver(target, () => {})?.release();
  } catch (error) {
    throw toFailure(error, target);
  }
  return existing;
}

const readSchema = (database: Database) => firstValue(database, 'SELECT count(*) FROM sqlite_schema');

/**
 * What is no database any more may still be open in another process, which then has a lock on it. SQLite finds out that it is none
 * before it asks for the file alone, except by this VFS, which lets no other process have a lock (https://sqlite.org/vfs.html). Who
 * comes later can't open what is no database; and Windows does not replace what is open.
 */
function refuseHeld(path: string): void {
  if (process.platform === 'win32' || !knowsUrls()) return;
  try {
    openLocked(path, 'mode=rw&vfs=unix-excl', 0, readSchema).close();
  } catch (error) {
    if (isBusy(error)) throw toFailure(error, path);
  }
}

/** Publishes the file; with `overwrite` in the place of one that is there by now, which is no database that anybody has open. */
export function putInPlace(partial: PartialFile, overwrite: boolean): void {
  if (!overwrite || existingAt(partial.target) === undefined) {
    partial.publish(false);
    return;
  }
  const owned = takeOver(partial.target, leaveLogMode);
  try {
    putInstead(partial, owned);
  } finally {
    owned?.release();
  }
}

/** @param owned - what it takes the place of, with its log taken in, if that is a database */
export function putInstead(partial: PartialFile, owned: Owned | undefined): void {
  const existing = statSync(partial.target);
  ownedLike(partial.path, existing);
  chmodSync(partial.path, existing.mode & 0o7777); // last: it may not let it be written
  // only Windows can't rename onto a file that is open; elsewhere nobody gets in between
  if (process.platform === 'win32') owned?.release();
  if (owned === undefined) for (const end of ['-wal', '-shm', '-journal']) removeFile(partial.target + end);
  partial.publish(true);
}

interface Owned {
  database: Database;
  /** How the file kept its journal. */
  mode: string;
  release(): void;
}

/** Opens it for this thread alone, and prepares it; `undefined` for what is no sound database, and in use by nobody. */
function takeOver(path: string, prepare: (owned: Owned, path: string) => void): Owned | undefined {
  let owned: Owned | undefined;
  try {
    owned = openAlone(path);
    prepare(owned, path);
    return owned;
  } catch (error) {
    owned?.release();
    if (toEngineError(error).code !== 'database-corrupt') throw error;
    refuseHeld(path);
    return undefined;
  }
}

/** Nothing of the file is changed by this alone. */
export function openAlone(path: string): Owned {
  let mode = '';
  const database = openLocked(path, 'mode=rw', 0, (database) => {
    // before the first look at the file: then its lock keeps everybody out, and its log needs no shared index
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    readSchema(database);
    mode = String(firstValue(database, 'PRAGMA journal_mode'));
    // a file without a log is locked by writing only
    if (mode !== 'wal') database.exec('BEGIN EXCLUSIVE; COMMIT');
  });
  return { database, mode, release: () => ifPossible(() => database.close()) }; // again, it throws
}

/**
 * Closing a database removes its log by name: by then another file may have that name. And SQLite does not tell of a log that could
 * not be removed, which would be replayed into the new file.
 */
export function leaveLogMode({ database, mode }: Owned, path: string): void {
  if (mode !== 'wal') return;
  database.exec('PRAGMA journal_mode = DELETE');
  // nobody can have them open
  for (const end of ['-wal', '-shm']) removeFile(path + end);
}

/** What opens the new file begins a log for it; there is none yet. */
export function keepsLog(path: string): void {
  const database = openFile(path, 'mode=rw');
  try {
    database.exec('PRAGMA journal_mode = WAL');
  } finally {
    database.close();
  }
}

/** The same owner as the file that it takes the place of; done first, because it may not be permitted. */
export function ownedLike(path: string, { uid, gid }: Stats): void {
  const now = statSync(path);
  if (now.uid !== uid || now.gid !== gid) chownSync(path, uid, gid);
}
