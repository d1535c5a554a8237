/** Reads where a PostgreSQL database is from its URL and the standard `PG…` variables. */
import { SERVER_LABEL } from '../errors.ts';

export interface PostgresqlTarget {
  /** In the order in which they are tried. A host that begins with `/` is a folder with a socket. */
  hosts: readonly { host: string; port: number }[];
  user: string | undefined;
  password: string | undefined;
  database: string;
  tls: 'disable' | 'require' | 'verify-ca' | 'verify-full';
  /** Paths of files in PEM form. */
  tlsFiles: Partial<Record<'ca' | 'cert' | 'key', string | undefined>>;
  /** Whether the password must be proved for this very TLS connection (SCRAM-SHA-256-PLUS). */
  channelBinding: boolean;
  /** Run-time parameters for the server, as in `-c search_path=app`. */
  options: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_PORT = 5432;

/** Nothing of the URL is quoted but the name of a parameter (`isNameOnly`): what is read as a host may be a password. */
const UNREADABLE =
  'this is no URL of a PostgreSQL database: postgres://USER:PASSWORD@HOST:PORT/DATABASE, where / ? # @ : % & ' +
  'within a part are written as %2F %3F %23 %40 %3A %25 %26';

/**
 * Also one in a line of settings (`URL=postgres://…`), one for another driver (`jdbc:`, `+asyncpg`), and any URL with a password: taken
 * for a path, it would be printed with that.
 */
export function isPostgresqlUrl(text: string): boolean {
  return /^(jdbc:)?postgres(ql)?(\+\w+)?:|postgres(ql)?(\+\w+)?:\/\/|:\/\/[^/]*:[^/]*@/i.test(text);
}

/** What a URL leaves out comes from the environment. Returns a sentence, without the URL, if it can't be read. */
export function parsePostgresqlUrl(
  url: string,
  environment: Environment,
  userName?: string,
): PostgresqlTarget | string {
  // what comes before the last @ of the authority is the account, as in any URL
  const parts = /^postgres(?:ql)?:(?:\/\/(?:([^/?#]*)@)?([^@/?#]*))?(?:\/([^@?#]*))?(?:\?([^#]*))?$/i.exec(url);
  if (parts === null) return UNREADABLE;
  const [, account = '', authority = '', path = '', query = ''] = parts;
  try {
    // a + is one, as libpq reads it
    const parameters = new URLSearchParams(query.replaceAll('+', '%2B'));
    const given = (name: Name) => parameters.get(name) ?? nonEmpty(environment[variables[name]]);
    // a password may hold a colon
    const [user = '', password] = account.split(/:(.*)/s, 2).map(decodeURIComponent);
    const hosts = hostsOf((authority === '' ? given('host') : parameters.get('host')) ?? authority, given('port'));
    if (typeof hosts === 'string') return hosts;
    const named = nonEmpty(user) ?? given('user') ?? userName;
    const database = nonEmpty(decodeURIComponent(path)) ?? given('dbname') ?? named;
    if (database === undefined) return 'no database is named, in the URL or by PGDATABASE';
    const tls = given('sslmode') ?? (hosts.every(isLocal) ? 'disable' : 'verify-full');
    if (tls !== 'disable' && tls !== 'require' && tls !== 'verify-ca' && tls !== 'verify-full') {
      return 'sslmode must be disable, require, verify-ca or verify-full';
    }
    const fault = faultOfParameters(parameters, query);
    if (fault !== undefined) return fault;
    const ca = given('sslrootcert');
    if (ca === 'system' && tls !== 'verify-full' && given('sslmode') !== undefined)
      return 'sslrootcert=system takes sslmode=verify-full, as with libpq';
    const binding = given('channel_binding') ?? 'prefer';
    if (!/^(disable|prefer|require)$/.test(binding)) return 'channel_binding must be disable, prefer or require';
    if (binding === 'require' && tls === 'disable')
      return 'channel_binding=require takes TLS: name an sslmode that has it';
    return {
      hosts,
      user: named,
      password: password ?? given('password'),
      database,
      tls,
      // a word of libpq's for the authorities that are known anyway
      tlsFiles: { ca: ca === 'system' ? undefined : ca, cert: given('sslcert'), key: given('sslkey') },
      channelBinding: binding === 'require',
      options: given('options'),
    };
  } catch {
    return 'the URL holds a % that does not begin an escaped character'; // from decodeURIComponent
  }
}

/** Of each parameter, the variable that stands for it where the URL has none. */
const variables = {
  host: 'PGHOST',
  port: 'PGPORT',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  dbname: 'PGDATABASE',
  sslmode: 'PGSSLMODE',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  channel_binding: 'PGCHANNELBINDING',
  options: 'PGOPTIONS',
};

type Name = keyof typeof variables;

/**
 * What hosters of databases and other clients print besides: the values that are nothing to this one, which has one connection that
 * writes, or what is written instead.
 */
const ofOthers = new Map<string, RegExp | string>([
  ['pgbouncer', /^(true|false)$/],
  ['connection_limit', /^\d+$/],
  ['pool_timeout', /^\d+$/],
  ['statement_cache_size', /^\d+$/],
  ['supa', /^/],
  ['workaround', /^/],
  ['uselibpqcompat', /^true$/],
  ['target_session_attrs', /^(any|read-write|primary)$/],
  ['connect_timeout', "a provider's option ConnectTimeoutMs"],
  ['schema', 'options=-c%20search_path%3D…'],
  ['currentSchema', 'options=-c%20search_path%3D…'],
  ['statement_timeout', 'options=-c%20statement_timeout%3D…'],
  ['ssl', 'sslmode=verify-full or sslmode=require'],
]);

function faultOfParameters(parameters: URLSearchParams, query: string): string | undefined {
  for (const [name, value] of parameters) {
    if (Object.hasOwn(variables, name)) continue;
    const other = ofOthers.get(name);
    if (typeof other === 'string') return `the URL has the parameter ${name}: write ${other} instead`;
    if (other?.test(value)) continue;
    if (other !== undefined) return `the URL's parameter ${name} has a value that can't be had here: leave it out`;
    const names = `there are ${Object.keys(variables).join(', ')}`;
    // a password with a `?` or `&` that is not escaped goes on in what looks like a parameter
    const isNameOnly = /^[a-z_]+$/i.test(name) && value !== '' && !/@|password/i.test(query);
    if (isNameOnly) return `the URL's parameter ${name} is not known: remove it; ${names}`;
    return `the URL has a parameter that is not known; ${names}; within a password, ? is written as %3F and & as %26`;
  }
  return undefined;
}

/** `a:1,b,[::1]:3`; ports beside them (`1,2` or one for all) count where a host has none. */
function hostsOf(text: string, ports: string | undefined): { host: string; port: number }[] | string {
  const beside = ports?.split(',') ?? [];
  const hosts: { host: string; port: number }[] = [];
  const listed = decodeURIComponent(text).split(',');
  for (const [index, one] of listed.entries()) {
    const parts = one.startsWith('/') ? [one, one] : /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(one);
    if (parts === null || one.includes('@')) return UNREADABLE;
    const host = (parts[1] ?? '').replace(/^\[|\]$/g, '') || 'localhost';
    const port = Number(parts[2] ?? beside[beside.length === 1 ? 0 : index] ?? DEFAULT_PORT);
    if (!Number.isInteger(port) || port < 1 || port > 65_535) return 'a port of the URL is none from 1 to 65535';
    hosts.push({ host, port });
  }
  return hosts;
}

function isLocal({ host }: { host: string }): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

/** How a database is named in messages, logs and statistics. */
export function labelOf({ database, hosts }: PostgresqlTarget): string {
  const addresses = hosts.map(({ host, port }) => (host.startsWith('/') ? host : `${host}:${port}`));
  return `${SERVER_LABEL} ${database} on ${addresses.join(',')}`;
}

/** The same whenever the same database is reached by the same hosts as the same user: a copy goes on also by another kind of TLS. */
export function databaseIdentity({ hosts, database, user, options }: PostgresqlTarget): string {
  return JSON.stringify(['postgresql', hosts, database, user, options]);
}

/** The same for all URLs by which the same database is reached in the same way, whatever the password: that may be changed any time. */
export function connectionKey(target: PostgresqlTarget): string {
  return JSON.stringify(['postgresql', { ...target, password: undefined }]);
}
