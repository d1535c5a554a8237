/** Where a database on a server is, read at the call as the names of files are. */
import { userInfo } from 'node:os';
import { makeError } from '../protocol/errors.ts';
import { ifPossible } from '../protocol/if-possible.ts';
import { type ProviderSettings, sharedOptions } from '../protocol/options.ts';
import { newSession } from '../protocol/postgresql/session.ts';
import { connectionKey, labelOf, type PostgresqlTarget, parsePostgresqlUrl } from '../protocol/postgresql/url.ts';
import type { Location } from '../protocol/service.ts';
import { randomUUID } from '../protocol/surroundings.ts';
import { absolute } from './location.ts';
import { searchPaths } from './search-paths.ts';

/** @throws `invalid-argument` for a URL that can't be read; the message has nothing of one with a password */
export function locateServer(url: string, settings: ProviderSettings): Location {
  const target = readServer(url);
  if (typeof target === 'string') throw makeError('invalid-argument', 'constructor', 'a PostgreSQL database', target);
  const { LeaseMs, CreateTables, ConnectTimeoutMs, RetryForMs } = settings;
  const shared = { LeaseMs, CreateTables, ConnectTimeoutMs, RetryForMs };
  const server = { target, session: newSession(thisProcess()), searchPaths: searchPaths(), ...shared };
  return { path: labelOf(target), parameters: '', key: connectionKey(target), transient: false, server };
}

/** Says which of the options that were given another provider of the database has given otherwise, `undefined` if none. */
export function contradictionOf(first: Location, own: Location, given: object): string | undefined {
  for (const option of sharedOptions) {
    const [theirs, ours] = [first.server?.[option], own.server?.[option]];
    if (!Object.hasOwn(given, option) || theirs === ours) continue;
    return `${option} is ${ours}, but another provider of this process has opened this database with ${theirs}, which holds for both: give the same, or leave it out`;
  }
  return undefined;
}

/** Its certificates are read at each connection; where they lie is known from now on. Returns a sentence if it can't be read. */
export function readServer(url: string): PostgresqlTarget | string {
  // what the system calls whoever runs this, as libpq takes it; in a container the user may have no name
  const userName = ifPossible(() => userInfo().username);
  const target = parsePostgresqlUrl(url, process.env, userName);
  if (typeof target === 'string') return target;
  try {
    // not by their real paths: certificates are renewed by changing links
    const files = Object.entries(target.tlsFiles).map(([name, path]) => [name, path && absolute(path)]);
    return { ...target, tlsFiles: Object.fromEntries(files) };
  } catch {
    return 'its certificates have relative paths, and the working directory is gone';
  }
}

const PROCESS = Symbol.for('sds-persistence-worker.process');

/** A server knows this thread by it. Not drawn at loading: a `--build-snapshot` is started many times. */
function thisProcess(): string {
  const known = globalThis as { [PROCESS]?: string };
  known[PROCESS] ??= randomUUID();
  return known[PROCESS];
}
