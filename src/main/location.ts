/**
 * Where a database is: a file by its real path, or one in memory; on a server, see `server-location.ts`. All names of
 * files are read here, at the call: neither the working directory nor a link that changes later moves what was meant.
 */

import { existsSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { makeError, SDS_PersistenceError } from '../protocol/errors.ts';
import { type FileUrl, hasOwnLocks, isFileUrl, readFileUrl } from '../protocol/file-url.ts';
import { ifPossible } from '../protocol/if-possible.ts';
import { isPostgresqlUrl } from '../protocol/postgresql/url.ts';
import type { Location } from '../protocol/service.ts';
import { describe } from './option-checks.ts';

/** As many links as Linux follows. */
const MOST_LINKS = 40;
/** No system takes a longer one. */
const LONGEST_PATH = process.platform === 'win32' ? 32_767 : 4096;

/** @throws `invalid-argument` for a URL that can't be read; the message has nothing of one with a password */
export function locateFile(name: string): Location {
  const call = 'constructor';
  const { path, memory, shared, mustExist, parameters } = readName(name, (detail) =>
    makeError('invalid-argument', call, name, detail),
  );
  // '' is a temporary file of SQLite's own
  if (path === '' || (memory && !shared)) {
    return { path: memory ? ':memory:' : '', parameters: '', key: undefined, transient: true };
  }
  // SQLite finds it by its whole name, in all threads
  if (memory) return { path: name, parameters: '', key: `:memory: ${path} ${parameters}`, transient: true };
  const real = realPath(path, call);
  const own = [mustExist && !existsSync(real) ? 'mode=rw' : '', parameters].filter((one) => one !== '').join('&');
  return { path: real, parameters: own, key: own === '' ? real : `${real}?${own}`, transient: false };
}

/** What opens it again, wherever the working directory is by then. @throws for a database of one provider alone */
export function lastingName(dbPath: string): string {
  if (typeof dbPath !== 'string' || isPostgresqlUrl(dbPath)) return dbPath;
  const { path, key, transient } = locateFile(dbPath);
  if (key === undefined) {
    const detail =
      'this is a database for one provider alone, and each document has one of its own: give a path, or ' +
      "'file:name?mode=memory&cache=shared'";
    throw makeError('invalid-argument', 'constructor', path, detail);
  }
  if (transient) return dbPath;
  return isFileUrl(dbPath) ? pathToFileURL(path).href + (/\?[^#]*/.exec(dbPath)?.[0] ?? '') : path;
}

/** The real path of a file for an operation. @throws `invalid-argument` for what is none, as a database in memory */
export function pathOf(name: unknown, call: string, what: string): string {
  const refuse = (detail: string) =>
    new SDS_PersistenceError('invalid-argument', `${call}: ${what} must be the path of a file, not ${detail}`);
  if (typeof name !== 'string' || name === '' || name.includes('\0')) throw refuse(describe(name));
  if (isPostgresqlUrl(name)) throw refuse(FOR_FILES);
  const { path, memory, parameters } = readName(name, (detail) => refuse(`${describe(name)}: ${detail}`));
  if (memory) throw refuse('a database in memory');
  if (path === '') throw refuse(describe(name));
  if (hasOwnLocks(parameters)) throw refuse(OWN_LOCKS);
  return realPath(path, call);
}

/**
 * The same of a file that is to be made. A slash at the end is nothing to SQLite, but says that a folder is meant; what is named like
 * the log of a database would be taken for that, and be removed.
 */
export function targetOf(name: unknown, call: string, what: string): string {
  const path = pathOf(name, call, what);
  const refuse = (detail: string) =>
    new SDS_PersistenceError('invalid-argument', `${call}: ${what} must be the path of a file, not ${detail}`);
  const named = isFileUrl(String(name)) ? String(name).replace(/[?#].*$/s, '') : String(name);
  if (named.endsWith('/') || named.endsWith(sep)) throw refuse('that of a folder: name the file in it');
  const owner = path.replace(/-(wal|shm|journal)$/i, '');
  if (owner !== path && ifPossible(() => statSync(owner).isFile())) {
    throw refuse(`one that may belong to '${owner}', which is there: take another name`);
  }
  return path;
}

export const OWN_LOCKS = "a file with locks of its own kind (the URL's vfs or nolock)";

const FOR_FILES =
  'a PostgreSQL database, which is looked after by its own tools: pg_dump and pg_restore, VACUUM, pg_stat_activity and SQL';

function readName(name: string, refuse: (detail: string) => SDS_PersistenceError): FileUrl {
  const plain = { shared: false, mustExist: false, parameters: '' };
  if (!isFileUrl(name)) return { ...plain, path: name, memory: name === ':memory:' };
  const url = readFileUrl(name);
  if (typeof url === 'string') throw refuse(url);
  return url;
}

function realPath(path: string, call: string): string {
  if (path.length > LONGEST_PATH) return path; // opening it will tell
  try {
    // a slash at the end is nothing to SQLite
    return follow(absolute(path.replace(/(?<=.)\/+$/, '')), 0);
  } catch (error) {
    // everything else is seen when it is opened
    const detail = 'this path is relative, and the working directory is gone';
    throw makeError('open-failed', call, path, detail, error);
  }
}

/** `..` stays, except on Windows: it leads to the folder that a link leads from. */
export function absolute(path: string): string {
  if (process.platform === 'win32') return resolve(path);
  return isAbsolute(path) ? path : `${process.cwd()}/${path}`;
}

/** Follows links as far as there is something, also a link to a file that is not there yet. */
function follow(path: string, links: number): string {
  try {
    return realpathSync.native(path);
  } catch (error) {
    // links in a circle lead nowhere, however far they are followed: opening it will tell
    if ((error as NodeJS.ErrnoException).code === 'ELOOP') return path;
    // no link, or nothing there: opening it will tell
    const target = links < MOST_LINKS ? ifPossible(() => readlinkSync(path)) : undefined;
    if (target !== undefined) return follow(isAbsolute(target) ? target : `${dirname(path)}/${target}`, links + 1);
    const folder = dirname(path);
    if (folder === path) return path;
    const found = join(follow(folder, links), basename(path));
    return found === path || links >= MOST_LINKS ? found : follow(found, links + 1);
  }
}
