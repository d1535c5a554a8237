/** Opens a database file: checks that it is one of ours, sets it up, and knows where it is on the disk. */
import { statSync } from 'node:fs';
import type { DatabaseSync as Database } from 'node:sqlite';
import { ifPossible } from '../../protocol/if-possible.ts';
import { EngineError } from '../engine.ts';
import { toEngineError, toOpenError } from './errors.ts';
import { closeDatabase, firstValue, keepsStatementsOpen, knowsUrls, open } from './node-sqlite.ts';
import { type DatabaseName, type Identity, identityOf, isSame, refuseAnother } from './ordinary-file.ts';
import { checkSchema, createTables, hasAllTables } from './schema.ts';
import { lookAtFile, NOT_PERMITTED, whyNotOpen } from './why-not-open.ts';

/** When SQLite begins to write the log anew, it cuts the file to this (`journal_size_limit`). */
export const LONGEST_KEPT = 48 * 1024 * 1024;

export interface OpenedDatabase {
  database: Database;
  /** The path of the file, empty for a database in memory. */
  location: string;
  /** Whether it was opened for one reading. */
  onlyReads: boolean;
  setSynchronous(full: boolean): void;
  whereIsFile(): Whereabouts;
  /** Whether the log at its name, and its index, is its own, and of no other file that has the name by now: it may be taken into the file, wherever that is. */
  ownsLog(): boolean;
  /** Lets go of it, wherever the file is. */
  close(): void;
}

export type Whereabouts = 'there' | 'missing' | 'replaced';

/** @param onlyReads - nothing is made, in the file or beside it; nobody else can have it open meanwhile */
export function openDatabase(name: DatabaseName, full: boolean, onlyReads = false): OpenedDatabase {
  let database: Database | undefined;
  try {
    const before = lookAtFile(name);
    const filename = pathOrUrl(name);
    database = open(filename);
    // before anything is read: SQLite finds the log by the file's name, which may be another file's by now
    if (before !== undefined) refuseAnother(before, identityOf(name.path));
    return setUp(database, filename, before, full, onlyReads);
  } catch (error) {
    const failure = whyNotOpen(toOpenError(error), name);
    database?.close(); // plainly: a file that is not ours is left as it is
    throw failure;
  }
}

/** The file's path, or the URL that says more; SQLite can be given none before Node 22.15. */
function pathOrUrl({ path, parameters, transient }: DatabaseName): string {
  if (transient) return path.startsWith('file:') && !knowsUrls() ? ':memory:' : path;
  if (parameters === '') return path;
  // loaded when it is needed: it would make every worker start later
  if (knowsUrls()) return `${process.getBuiltinModule('node:url').pathToFileURL(path).href}?${parameters}`;
  const message = `Node ${process.versions.node} opens no file with the parameters ${parameters}: Node 22.15 and later do`;
  throw new EngineError('open-failed', { message });
}

function setUp(
  database: Database,
  filename: string,
  before: Identity | undefined,
  full: boolean,
  onlyReads: boolean,
): OpenedDatabase {
  // a busy file must not block the other files of this thread: its tasks wait, and are tried again
  database.exec('PRAGMA busy_timeout = 0');
  // before the first look at the file: then the index of its log is kept in memory, not in a file of its own
  if (onlyReads) database.exec('PRAGMA locking_mode = EXCLUSIVE');
  checkSchema(database);
  // those of the program's own tables, as for the synchronous provider
  database.exec('PRAGMA foreign_keys = ON');
  // readers and the writer do not wait for each other, and a commit appends
  const mode = firstValue(database, onlyReads ? 'PRAGMA journal_mode' : 'PRAGMA journal_mode = WAL');
  // or a rollback journal: by a `vfs` without shared memory, or if the file can't be written
  const hasLog = mode === 'wal';
  const setSynchronous = (wanted: boolean) => {
    // NORMAL: no wait for the disk at a commit, only at a checkpoint. FULL: an fdatasync at each commit, which a journal needs
    database.exec(`PRAGMA synchronous = ${hasLog && !wanted ? 'NORMAL' : 'FULL'}`);
  };
  setSynchronous(full);
  // checkpoints run between batches, from this thread, so that no commit pays for one
  database.exec('PRAGMA wal_autocheckpoint = 0');
  database.exec(`PRAGMA journal_size_limit = ${LONGEST_KEPT}`);
  if (!hasAllTables(database)) {
    if (onlyReads) throw new Error('it has no tables yet');
    // closing the connection, which is what follows if this fails, rolls back
    database.exec('BEGIN IMMEDIATE');
    createTables(database);
    checkSchema(database); // another process may have made others since
    database.exec('COMMIT');
  }
  // the file as SQLite knows it
  const location = String(firstValue(database, "SELECT file FROM pragma_database_list WHERE name = 'main'") ?? '');
  const original = location === '' ? undefined : statSync(location, { bigint: true });
  if (before !== undefined) refuseAnother(before, original);
  const { whereIsFile, ownsLog, hasOtherIndex } = presenceOf(location, original, hasLog);
  const close = () => {
    if (hasOtherIndex()) closeBesideItsLog(database, location, filename);
    else letGo(database, location, original);
  };
  return { database, location, onlyReads, setSynchronous, close, whereIsFile, ownsLog };
}

/** Kept from being collected: that would close them, and SQLite remove the log. */
const keptOpen = new Set<Database>();

/**
 * SQLite knows its file by the inode alone: at closing it would remove the log of a copy of the volume that is in its place by now, with
 * what was committed there. So that log is taken in first.
 */
function letGo(database: Database, location: string, original: Identity | undefined): void {
  const there = ifPossible(() => identityOf(location));
  if (there?.ino === original?.ino && there?.dev !== original?.dev) {
    keptOpen.add(database);
    const copy = open(location);
    try {
      firstValue(copy, 'PRAGMA journal_mode = DELETE'); // throws while others have the copy open, whose log it is
    } finally {
      closeDatabase(copy);
    }
    keptOpen.delete(database);
  }
  database.close();
}

/**
 * Beside another index it knows nothing of what others have committed since: that is in the log alone, which SQLite would remove.
 * It does not while another connection has the file open, and one that only reads removes nothing. A new one, with an index of all that
 * is there, takes the log in as it is closed.
 */
function closeBesideItsLog(database: Database, location: string, filename: string): void {
  const read = 'BEGIN; SELECT count(*) FROM sqlite_schema';
  const reader = ifPossible(() => open(location, true));
  ifPossible(() => reader?.exec(read));
  database.close();
  reader?.close();
  const successor = ifPossible(() => open(filename));
  ifPossible(() => successor?.exec(`${read}; COMMIT`)); // or others are at it, who will take it in
  successor?.close();
}

type Presence = Pick<OpenedDatabase, 'whereIsFile' | 'ownsLog'> & { hasOtherIndex(): boolean };

/** Where an open file is seen to be, and its log if it has one. */
function presenceOf(location: string, original: Identity | undefined, hasLog: boolean): Presence {
  if (original === undefined) return { whereIsFile: () => 'there', ownsLog: () => true, hasOtherIndex: () => false };
  const log = `${location}-wal`;
  const originalLog = hasLog ? identityOf(log) : undefined;
  const isLogThere = () => originalLog === undefined || isSame(find(log, originalLog), originalLog);
  // Where it was removed, all that have the file open share it without a name, until somebody opens the file anew and makes another one:
  // then neither sees the locks and commits of the other. A new connection has that one, unless the old one stays open behind its closing
  const index = `${location}-shm`;
  const originalIndex = hasLog ? identityOf(index) : undefined;
  const isIndexItsOwn = () =>
    originalIndex === undefined ||
    isSame(find(index, originalIndex) ?? originalIndex, originalIndex) ||
    keepsStatementsOpen();
  return {
    whereIsFile() {
      const found = find(location, original);
      if (found === undefined) return 'missing';
      // the locks of files are the process's: another SQLite in it takes itself for the last one, and removes the log of this one
      if (isSame(found, original)) return isLogThere() && isIndexItsOwn() ? 'there' : 'replaced';
      if (originalLog === undefined || !isLogThere()) return 'replaced';
      const message = `another file was put in its place while it was open, beside its log; stop the programs that have it open and remove '${log}'`;
      throw new EngineError('io-error', { message });
    },
    ownsLog: () => isLogThere() && isIndexItsOwn() && isSame(find(location, original) ?? original, original),
    hasOtherIndex: () => isLogThere() && !isIndexItsOwn() && isSame(find(location, original), original),
  };
}

/** What is there now; what was there, if the process has given up the right to look: what is open goes on serving. */
function find(location: string, before: Identity): Identity | undefined {
  try {
    return identityOf(location);
  } catch (error) {
    if (NOT_PERMITTED.includes((error as NodeJS.ErrnoException).code ?? '')) return before;
    throw toEngineError(error);
  }
}
