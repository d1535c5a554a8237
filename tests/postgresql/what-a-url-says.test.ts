/** Where a database is, by its URL and the standard variables: what each part means, and which of two counts. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it, vi } from 'vitest';
import { labelOf, type PostgresqlTarget, parsePostgresqlUrl } from '../../src/protocol/postgresql/url.ts';

type Environment = Record<string, string>;

/** What is found where nothing is said. */
const nothingSaid: PostgresqlTarget = {
  hosts: [{ host: 'localhost', port: 5432 }],
  user: 'me',
  password: undefined,
  database: 'me',
  tls: 'disable',
  tlsFiles: {},
  channelBinding: false,
  options: undefined,
};

const read = (url: string, environment: Environment = {}) => parsePostgresqlUrl(url, environment, 'me');

function target(url: string, environment: Environment = {}): PostgresqlTarget {
  const found = read(url, environment);
  if (typeof found === 'string') throw new Error(found);
  return found;
}

const hosts = (...pairs: [host: string, port: number][]) => ({ hosts: pairs.map(([host, port]) => ({ host, port })) });

describe('each of them counts by itself', () => {
  it.each<[url: string, environment: Environment, found: Partial<PostgresqlTarget>]>([
    ['postgres:', {}, {}],
    ['postgresql://', {}, {}],
    ['POSTGRES://', {}, {}],
    // the account
    ['postgres://ann@', {}, { user: 'ann', database: 'ann' }],
    ['postgres://ann:secret@', {}, { user: 'ann', database: 'ann', password: 'secret' }],
    ['postgres://a%40n:%2F%3A%25@', {}, { user: 'a@n', database: 'a@n', password: '/:%' }],
    [
      'postgres://a@b:c:d@db/notes?sslmode=disable',
      {},
      {
        ...hosts(['db', 5432]),
        user: 'a@b',
        password: 'c:d',
        database: 'notes',
      },
    ],
    ['postgres://?user=ann&password=secret', {}, { user: 'ann', database: 'ann', password: 'secret' }],
    // a form on the web would have a blank there
    ['postgres://a+b:c+d@', {}, { user: 'a+b', database: 'a+b', password: 'c+d' }],
    ['postgres://?user=a+b&password=c+d%20e', {}, { user: 'a+b', database: 'a+b', password: 'c+d e' }],
    ['postgres://', { PGUSER: 'ann' }, { user: 'ann', database: 'ann' }],
    ['postgres://', { PGPASSWORD: 'secret' }, { password: 'secret' }],
    // the database
    ['postgres:///notes', {}, { database: 'notes' }],
    ['postgres:///my%20notes', {}, { database: 'my notes' }],
    ['postgres://?dbname=notes', {}, { database: 'notes' }],
    ['postgres://', { PGDATABASE: 'notes' }, { database: 'notes' }],
    // hosts and ports
    ['postgres://db', {}, { ...hosts(['db', 5432]), tls: 'verify-full' }],
    ['postgres://db:6000', {}, { ...hosts(['db', 6000]), tls: 'verify-full' }],
    ['postgres://[::1]:6000', {}, hosts(['::1', 6000])],
    [
      'postgres://one:6000,two,[fe80::1]:6002',
      {},
      {
        ...hosts(['one', 6000], ['two', 5432], ['fe80::1', 6002]),
        tls: 'verify-full',
      },
    ],
    ['postgres://?host=db&port=6000', {}, { ...hosts(['db', 6000]), tls: 'verify-full' }],
    ['postgres://?host=one,two&port=6000,6001', {}, { ...hosts(['one', 6000], ['two', 6001]), tls: 'verify-full' }],
    ['postgres://one,two?port=6000', {}, { ...hosts(['one', 6000], ['two', 6000]), tls: 'verify-full' }],
    ['postgres://?host=/run/postgresql', {}, hosts(['/run/postgresql', 5432])],
    ['postgres://%2Frun%2Fpostgresql', {}, hosts(['/run/postgresql', 5432])],
    ['postgres://', { PGHOST: 'db' }, { ...hosts(['db', 5432]), tls: 'verify-full' }],
    ['postgres://', { PGPORT: '6000' }, hosts(['localhost', 6000])],
    [
      'postgres://',
      { PGHOST: 'one,two', PGPORT: '6000,6001' },
      {
        ...hosts(['one', 6000], ['two', 6001]),
        tls: 'verify-full',
      },
    ],
    ['postgres://', { PGHOST: '/run/postgresql', PGPORT: '6000' }, hosts(['/run/postgresql', 6000])],
    // TLS
    ['postgres://db?sslmode=require', {}, { ...hosts(['db', 5432]), tls: 'require' }],
    ['postgres://db?sslmode=verify-ca', {}, { ...hosts(['db', 5432]), tls: 'verify-ca' }],
    ['postgres://?sslmode=verify-full', {}, { tls: 'verify-full' }],
    ['postgres://db', { PGSSLMODE: 'disable' }, hosts(['db', 5432])],
    [
      'postgres://?sslrootcert=ca.pem&sslcert=me.pem&sslkey=me.key',
      {},
      {
        tlsFiles: { ca: 'ca.pem', cert: 'me.pem', key: 'me.key' },
      },
    ],
    ['postgres://', { PGSSLROOTCERT: 'ca.pem' }, { tlsFiles: { ca: 'ca.pem' } }],
    [
      'postgres://db',
      { PGSSLROOTCERT: 'system' },
      { ...hosts(['db', 5432]), tls: 'verify-full', tlsFiles: { ca: undefined } },
    ],
    ['postgres://', { PGSSLROOTCERT: 'system' }, { tls: 'disable', tlsFiles: { ca: undefined } }],
    ['postgres://', { PGSSLCERT: 'me.pem', PGSSLKEY: 'me.key' }, { tlsFiles: { cert: 'me.pem', key: 'me.key' } }],
    // the rest
    ['postgres://?options=-c%20search_path%3Dsds', {}, { options: '-c search_path=sds' }],
    ['postgres://', { PGOPTIONS: '-c search_path=sds' }, { options: '-c search_path=sds' }],
    // what is empty says nothing
    ['postgres://?', { PGHOST: '', PGPORT: '', PGUSER: '', PGDATABASE: '', PGSSLMODE: '', PGOPTIONS: '' }, {}],
  ])('%s %o', (url, environment, found) => {
    expect(read(url, environment)).toEqual({ ...nothingSaid, ...found });
  });
});

describe('as providers of databases print it', () => {
  it.each<[whose: string, query: string, found: Partial<PostgresqlTarget>]>([
    ['Neon', 'sslmode=require&channel_binding=require', { tls: 'require', channelBinding: true }],
    ['Supabase, for Prisma', 'pgbouncer=true&connection_limit=1', { tls: 'verify-full' }],
    ['Vercel', 'sslmode=require&supa=base-pooler.x', { tls: 'require' }],
    ['Heroku, for newer pg', 'sslmode=require&uselibpqcompat=true', { tls: 'require' }],
    ['a cluster', 'target_session_attrs=read-write', { tls: 'verify-full' }],
  ])('%s: %s', (_, query, found) => {
    expect(target(`postgresql://ann:secret@db.example.com/notes?${query}`)).toMatchObject(found);
  });
});

describe('of two that say something else', () => {
  it('the URL counts, not the variables', () => {
    const environment = {
      PGHOST: 'elsewhere',
      PGPORT: '1',
      PGUSER: 'another',
      PGPASSWORD: 'wrong',
      PGDATABASE: 'other',
      PGSSLMODE: 'disable',
      PGSSLROOTCERT: 'other.pem',
      PGSSLCERT: 'other.pem',
      PGSSLKEY: 'other.key',
      PGOPTIONS: '-c other=1',
    };
    const url =
      'postgres://ann:secret@db:6000/notes?sslmode=verify-ca&sslrootcert=ca.pem&sslcert=me.pem&sslkey=me.key&options=-c%20mine%3D1';
    expect(target(url, environment)).toEqual(target(url));
  });

  it('the account and the path of the URL count, not its parameters of the same meaning; but the host by its parameter', () => {
    const found = target(
      'postgres://ann:secret@db/notes?user=another&password=wrong&dbname=other&host=/run/postgresql',
    );
    expect(found).toMatchObject({
      user: 'ann',
      password: 'secret',
      database: 'notes',
      ...hosts(['/run/postgresql', 5432]),
    });
  });

  it('a port beside its host counts, not those for all', () => {
    expect(target('postgres://one:6000,two?port=7000')).toMatchObject(hosts(['one', 6000], ['two', 7000]));
    expect(target('postgres://one:6000,two', { PGPORT: '7000,7001' })).toMatchObject(
      hosts(['one', 6000], ['two', 7001]),
    );
  });
});

describe('without sslmode', () => {
  it.each<[authority: string, tls: string]>([
    ['localhost', 'disable'],
    ['127.0.0.1', 'disable'],
    ['127.8.9.10', 'disable'],
    ['[::1]', 'disable'],
    ['%2Frun%2Fpostgresql', 'disable'],
    ['db.example.com', 'verify-full'],
    ['10.0.0.1', 'verify-full'],
    ['localhost.example.com', 'verify-full'],
    ['127.0.0.1.example.com', 'verify-full'],
    // as soon as one of them is elsewhere
    ['localhost,db.example.com', 'verify-full'],
  ])('%s: %s', (authority, tls) => {
    expect(target(`postgres://${authority}/notes`).tls).toBe(tls);
  });
});

describe('what can not be read', () => {
  it.each<[url: string, environment: Environment, why: RegExp]>([
    ['postgres://db/notes?sslmode=prefer', {}, /^sslmode must be disable, require, verify-ca or verify-full$/],
    ['postgres://db/notes?sslmode=allow', {}, /^sslmode must be/],
    ['postgres://db/notes', { PGSSLMODE: 'prefer' }, /^sslmode must be/],
    [
      'postgres://db/notes?keepalives=1',
      {},
      /^the URL's parameter keepalives is not known: remove it; there are host,/,
    ],
    ['postgres://db/notes?sslmod=prefer', {}, /^the URL's parameter sslmod is not known: remove it; there are host,/],
    ['postgres://db/notes?target_session_attrs=standby', {}, /target_session_attrs has a value that can't be had here/],
    [
      'postgres://db/notes?connect_timeout=10',
      {},
      /connect_timeout: write a provider's option ConnectTimeoutMs instead$/,
    ],
    ['postgres://db/notes?application_name=mine', {}, /^the URL's parameter application_name is not known: remove it;/],
    ['postgres://db/notes?schema=sds', {}, /write options=-c%20search_path%3D… instead$/],
    ['postgres://db/notes?ssl=true', {}, /ssl: write sslmode=verify-full or sslmode=require instead$/],
    ['postgres://localhost/notes?channel_binding=require', {}, /^channel_binding=require takes TLS/],
    [
      'postgres://db/notes?sslmode=require',
      { PGSSLROOTCERT: 'system' },
      /^sslrootcert=system takes sslmode=verify-full/,
    ],
    ['postgres://db/notes?sslmode=verify-ca&sslrootcert=system', {}, /^sslrootcert=system takes/],
    ['postgres://db/notes?sslmode=disable&sslrootcert=system', {}, /^sslrootcert=system takes/],
    ['postgres://db/notes?channel_binding=perhaps', {}, /^channel_binding must be disable, prefer or require$/],
    ['postgres://db:0/notes', {}, /^a port of the URL is none from 1 to 65535$/],
    ['postgres://db:65536/notes', {}, /^a port of the URL/],
    ['postgres://db/notes', { PGPORT: 'any' }, /^a port of the URL/],
    ['postgres://ann:sec%ret@db/notes', {}, /% that does not begin an escaped character$/],
    ['postgres://ann:sec/ret@db/notes', {}, /^this is no URL of a PostgreSQL database/],
    ['postgres://ann:sec#ret@db/notes', {}, /^this is no URL of a PostgreSQL database/],
  ])('%s %o', (url, environment, why) => {
    const found = read(url, environment);
    expect(found).toMatch(why);
    expect(found).not.toMatch(/\bann\b|sec.?ret|(?<!disable, )prefer|maybe/);
  });

  // a password that is not escaped ends where a parameter seems to begin
  it.each([
    'postgres://db/notes?user=ann&password=12&sec=ret',
    'postgres://db/notes?password=12&sec',
    'postgres://ann:12?sec=ret@db/notes',
    'postgres://ann:12?sec&ret=@db/notes',
    'postgres://db/notes?sec',
    'postgres://db/notes?sec%20ret=1',
  ])('names no parameter that may be a part of a password: %s', (url) => {
    const found = read(url, {});
    expect(found).toMatch(/^the URL has a parameter that is not known; there are host,.* & as %26$/);
    expect(found).not.toMatch(/\bann\b|sec|ret/);
  });

  it('without a user, a database has to be named', () => {
    expect(parsePostgresqlUrl('postgres://db', {})).toMatch(/^no database is named/);
    expect(parsePostgresqlUrl('postgres://db/notes', {})).toMatchObject({ user: undefined, database: 'notes' });
  });

  it('is invalid-argument of the constructor, by the variables of this process too', () => {
    const make = (url: string) => new SDS_DesktopPersistenceProvider(url, 'store');
    expect(() => make('postgres://db.invalid/notes?sslmode=prefer')).toThrow(
      expect.objectContaining({ code: 'invalid-argument', message: expect.stringContaining('sslmode must be') }),
    );
    vi.stubEnv('PGSSLMODE', 'prefer');
    try {
      expect(() => make('postgres://db.invalid/notes')).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

it('people see the database and its hosts, and nothing else', () => {
  expect(labelOf(target('postgres://ann:secret@one:6000,two/notes?options=-c%20a%3Db'))).toMatch(
    / notes on one:6000,two:5432$/,
  );
  expect(labelOf(target('postgres://ann:secret@/notes?host=/run/postgresql'))).toMatch(/ notes on \/run\/postgresql$/);
});
