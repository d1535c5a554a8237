/** What the system says where SQLite says no more than that it can't open a file. */
import { accessSync, closeSync, constants, type Dir, opendirSync, openSync, statSync } from 'node:fs';
import { identityOf } from './ordinary-file.ts';

/** Why the system does not let this be accessed in a way, one of `constants` of node:fs, if so. */
export function refusedAccess(path: string, way: number): NodeJS.ErrnoException | undefined {
  try {
    accessSync(path, way);
    // Windows tells only to who opens it that another program shares it with nobody; to close it costs no lock there
    if (process.platform === 'win32' && way === constants.R_OK) closeSync(openSync(path, 'r'));
    return undefined;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
}

/** The same of all that SQLite writes in a database: a log that another user has made forbids it too. */
export function refusedWriting(path: string): NodeJS.ErrnoException | undefined {
  const refusals = ['', '-wal', '-shm'].map((end) => refusedAccess(path + end, constants.W_OK));
  return refusals.find((refusal) => refusal !== undefined && refusal.code !== 'ENOENT');
}

/**
 * Why a file is not to be opened by this user, if so: SQLite would make a log, or its index, that the file's owner may not write,
 * unless that is root (as whose all files count on Windows).
 */
export function refusedLog(path: string): NodeJS.ErrnoException | undefined {
  const isMade = ['-wal', '-shm'].some((end) => identityOf(path + end) === undefined);
  const { uid } = statSync(path);
  return isMade && uid !== 0 && uid !== process.geteuid?.() ? refusedAccess(path, constants.W_OK) : undefined;
}

/**
 * Whether too many files are open for a database, its log and the index of that. The folder is opened: to close a database file would
 * give up the locks of this process on it.
 */
export function noMoreFiles(folder: string): NodeJS.ErrnoException | undefined {
  const opened: Dir[] = [];
  try {
    while (opened.length < 3) opened.push(opendirSync(folder));
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'EMFILE' || code === 'ENFILE' ? (error as NodeJS.ErrnoException) : undefined;
  } finally {
    for (const one of opened) one.closeSync();
  }
}
