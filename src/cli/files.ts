/** Which database files a name on the command line stands for, and the folders that copies go into. */
import { type BigIntStats, type Dirent, mkdirSync, readdirSync, readSync, statSync } from 'node:fs';
import { sep } from 'node:path';
import { hasOwnLocks, isFileUrl, readFileUrl } from '../protocol/file-url.ts';
import { ifPossible } from '../protocol/if-possible.ts';
import { withOpen } from '../protocol/with-open.ts';
import { Failure, type Run } from './run.ts';

const MAGIC = 'SQLite format 3\0';

/** What a file: URL stands for; one that can't be read, or stands for no file, is refused by what is called with it. */
export function pathIn(name: string): string {
  const url = isFileUrl(name) ? readFileUrl(name) : name;
  return typeof url === 'string' || url.memory || url.path === '' || hasOwnLocks(url.parameters) ? name : url.path;
}

/** A folder that can't be listed is a failure of its own: it does not keep the others from being looked at. */
function filesIn(run: Run, folder: string, leftOut: string | undefined): string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    run.fail(folder, new Failure('folder-unreadable', `this folder can not be listed: ${adviceOn(error)}`));
    return [];
  }
  return entries.flatMap((entry) => {
    const path = within(folder, entry.name);
    // links to folders are not followed: they may lead in a circle
    if (entry.isDirectory()) {
      const isLeftOut = leftOut !== undefined && identityOf(path) === leftOut;
      return run.recursive && !isLeftOut ? filesIn(run, path, leftOut) : [];
    }
    const isFile = entry.isSymbolicLink() ? (statsOf(path)?.isFile() ?? true) : entry.isFile();
    if (entry.name.startsWith('sds-partial-') || !isFile) return [];
    return /\.(db|sqlite3?)$/i.test(path) || isDatabase(path) ? [path] : [];
  });
}

/** `undefined` for what is not there, or out of reach: opening or listing it will tell. */
function statsOf(path: string): BigIntStats | undefined {
  return ifPossible(() => statSync(path, { bigint: true }));
}

/**
 * By which a folder is known, whatever the spelling of its name, and wherever it is mounted a second time, of which its real path says
 * nothing: numbers that may be too large for JavaScript's ordinary ones.
 */
function identityOf(folder: string): string | undefined {
  const stats = statsOf(folder);
  return stats && `${stats.dev} ${stats.ino}`;
}

const endsWithSlash = (name: string): boolean => name.endsWith('/') || name.endsWith(sep);

/** What a folder has under this name. A `..` in the name of the folder stays: behind a link it is for the system to follow. */
export function within(folder: string, name: string): string {
  return endsWithSlash(folder) ? folder + name : folder + sep + name;
}

/** Also one that is not there: a slash at the end says that it is meant as one. */
export function isMeantAsFolder(name: string): boolean {
  return isFolder(name) || endsWithSlash(name);
}

export function isFolder(name: string): boolean {
  return statsOf(name)?.isDirectory() ?? false;
}

/** By its first bytes. Nothing in this process has a database open yet, whose locks this could take away. */
function isDatabase(path: string): boolean {
  try {
    const start = Buffer.alloc(MAGIC.length);
    withOpen(path, 'r', (file) => readSync(file, start, 0, start.length, 0));
    return start.toString('latin1') === MAGIC;
  } catch (error) {
    // what lies beside one is none, nor is a link that leads nowhere; what else can't be read may be one, and opening it tells why:
    // what is no UTF-8 in a name has become U+FFFD
    const { code = '' } = error as NodeJS.ErrnoException;
    const leadsNowhere = ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(code) && !path.includes('\ufffd');
    return !leadsNowhere && !/-(wal|shm|journal)$/.test(path);
  }
}

/**
 * The files themselves, and the databases in folders, sorted; a folder without any is a failure. What is there at all is found out
 * by opening it.
 *
 * @param target - a folder into which they are copied: it may lie within one of these, and its copies are not copied again
 */
export function filesOf(run: Run, names: readonly string[], target?: string): string[] {
  const leftOut = target === undefined ? undefined : identityOf(target);
  return names.flatMap((name) => {
    if (!isFolder(name)) return [name];
    const failures = run.failures;
    const files = filesIn(run, name, leftOut).sort();
    if (files.length === 0 && run.failures === failures) {
      const advice = run.recursive ? '' : ', or look into the folders within it, too, with --recursive';
      const sentence = `there is no database in this folder: name another one${advice}`;
      run.fail(name, new Failure('no-database', sentence));
    }
    return files;
  });
}

/** Makes a folder and those that it lies in; returns whether it is there. */
export function makeFolder(run: Run, folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true });
    return true;
  } catch (error) {
    run.fail(folder, new Failure('folder-not-made', `this folder can not be made: ${adviceOn(error)}`));
    return false;
  }
}

const NO_RIGHTS = 'the rights do not permit it; change them, or run this as a user who has them';
const IN_THE_WAY =
  'a file is in its place, or in that of a folder around it; name another folder, or move the file away';
const advice: Record<string, string> = {
  EACCES: NO_RIGHTS,
  EPERM: NO_RIGHTS,
  EROFS: 'the file system is read-only; name another folder',
  EEXIST: IN_THE_WAY,
  ENOTDIR: IN_THE_WAY,
  ENOENT: 'its name, or a link in it, leads nowhere; name another folder',
  ENOSPC: 'the disk is full; make room and try again',
};

function adviceOn(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return advice[code] ?? `the operating system reported ${message}`;
}
