/** Where a provider's database is: a file by its real path, one in memory, or one on a server. */
import { randomUUID } from 'node:crypto';
import { readlinkSync, realpathSync } from 'node:fs';
import { userInfo } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
// where this package lies, put here by the build
import packageLocation from 'virtual:package-location';
import { makeError } from '../protocol/errors.ts';
import type { ProviderSettings } from '../protocol/options.ts';
import { isPostgresqlUrl, keyOf, labelOf, parsePostgresqlUrl } from '../protocol/postgresql-url.ts';
import type { PostgresqlSettings } from '../protocol/service.ts';

/** As many links as Linux follows. */
const MOST_LINKS = 40;
/** No system takes a longer one (Windows: 32,767 characters, Linux: 4,096 bytes). */
const LONGEST_PATH = 32_767;

export interface Place {
  /** As it is named in messages: a path, or what says where a server's database is. */
  path: string;
  /** The same for all that lead to the same database. */
  key: string;
  /** Gone with its connection. */
  transient: boolean;
  server?: PostgresqlSettings;
}

/** @throws `invalid-argument` for a URL that can't be read; the message has nothing of it */
export function locate(dbPath: string, settings: ProviderSettings): Place {
  return isPostgresqlUrl(dbPath) ? locateServer(dbPath, settings) : locateFile(dbPath);
}

function locateServer(url: string, settings: ProviderSettings): Place {
  const target = parsePostgresqlUrl(url, process.env, userName());
  if (typeof target === 'string') throw makeError('invalid-argument', 'constructor', 'a PostgreSQL database', target);
  const server: PostgresqlSettings = {
    target,
    session: randomUUID(),
    leaseMs: settings.LeaseMs,
    createTables: settings.CreateTables,
    connectTimeoutMs: settings.ConnectTimeoutMs,
    retryForMs: settings.RetryForMs,
    places: placesToLookFrom(),
  };
  return { path: labelOf(target), key: keyOf(target), transient: false, server };
}

/** What the system calls whoever runs this, as libpq takes it. */
export function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined; // a container whose user has no name
  }
}

/** From where `pg` is looked for: this package, the program, the working directory. */
export function placesToLookFrom(): string[] {
  const [, program] = process.argv;
  const places = [packageLocation, program === undefined ? undefined : dirname(program), workingFolder()];
  return places.filter((place) => typeof place === 'string' && place !== '') as string[];
}

function workingFolder(): string | undefined {
  try {
    return process.cwd();
  } catch {
    return undefined; // it was removed
  }
}

function locateFile(dbPath: string): Place {
  if (dbPath === ':memory:' || dbPath === '') return { path: dbPath, key: dbPath, transient: true };
  if (dbPath.startsWith('file:')) return locateFileUrl(dbPath);
  const path = realPath(absolute(dbPath));
  return { path, key: path, transient: false };
}

function absolute(path: string): string {
  try {
    return resolve(path);
  } catch (error) {
    const detail = 'a relative path leads nowhere: the working directory was removed';
    throw makeError('open-failed', 'constructor', path, detail, error);
  }
}

/** A name in the form of a URL, as SQLite reads it (https://sqlite.org/uri.html). */
function locateFileUrl(url: string): Place {
  // with parameters it is a way of its own to open a file, and shared only with the same
  if (/[?#]/.test(url)) return { path: url, key: url, transient: /:memory:|[?&]mode=memory(&|$)/.test(url) };
  try {
    return locateFile(decodeURIComponent(url.slice('file:'.length).replace(/^\/\/(localhost)?(?=\/)/, '')));
  } catch {
    return { path: url, key: url, transient: false }; // no proper URL: opening it will tell
  }
}

/** Follows links as far as there is something, also a link to a file that is not there yet. */
function realPath(path: string): string {
  if (path.length > LONGEST_PATH) return path; // opening it will tell
  let there = path;
  let rest = '';
  for (let links = 0; ; ) {
    try {
      return join(realpathSync.native(there), rest);
    } catch {
      const folder = dirname(there);
      const target = links < MOST_LINKS ? linkTarget(there) : undefined;
      if (target !== undefined) {
        links++;
        there = resolve(folder, target);
        continue;
      }
      if (folder === there) return join(there, rest);
      rest = join(basename(there), rest);
      there = folder;
    }
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // no link, or nothing there: opening it will tell
  }
}
