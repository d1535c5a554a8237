/** PostgreSQL for tests: the server that was started for all of them, and others of a test's own. */
import { describe, inject, it, onTestFinished, type TestContext } from 'vitest';
import type { Engine } from './engine.ts';
import { PostgresqlAddress, USER } from './postgresql-address.ts';
import { databaseOf, databasesOn } from './postgresql-engine.ts';
import { PostgresqlServer, type ServerOptions } from './postgresql-server.ts';
import { TcpProxy } from './tcp-proxy.ts';

const given = inject('postgresql');
/** The one that SDS_POSTGRESQL_URL names. */
const givenServer = 'given' in given ? given.given : undefined;
// for those that rigs start, too
if ('pristine' in given) PostgresqlServer.pristine = given.pristine;

/** Runs its tests where there is a PostgreSQL server; elsewhere their name says why they are left out. */
export function describeOnPostgresql(name: string, body: () => void): void {
  if ('missing' in given) describe.skip(`${name} (left out: ${given.missing})`, body);
  else describe(name, body);
}

/** A test with a server that it starts itself; where a server was given, its name says that it is left out. */
export function itOnOwnServer(
  name: string,
  body: (context: TestContext) => Promise<void>,
  options: { timeout?: number } = {},
): void {
  if (givenServer === undefined) it(name, options, body);
  else it.skip(`${name} (left out: it needs a server of its own, not that of SDS_POSTGRESQL_URL)`, body);
}

/** The server of all tests: not to be stopped. */
export const server = new PostgresqlAddress(
  'missing' in given ? 0 : given.port,
  givenServer?.host,
  givenServer?.superuser,
  // a third of the processor time; where there is a standby, it would have the database late
  givenServer === undefined ? 'file_copy' : undefined,
);

const databases = databasesOn(server);

/** Databases on the server of all tests, each given to one test at a time; some have been in use before, and are empty. */
export const postgresql: Engine = {
  ...databases,
  freshPlace: async () => {
    const place = await databases.freshPlace();
    lent.add(place);
    onTestFinished(() => postgresql.discard(place));
    return place;
  },
  discard: async (place) => {
    if (lent.delete(place)) await databases.discard(place);
  },
};

/** What was given out and not taken back yet. */
const lent = new Set<string>();

/** A database that a test may set up as it likes, and without tables. */
export async function ownPlace(): Promise<string> {
  const database = await server.freshDatabase();
  onTestFinished(() => server.dropDatabase(database));
  return server.url(database);
}

/** What the server allows the package's role in a database, of statements and, where it knows that limit, of transactions. */
export async function limitTimes(database: string, time: string): Promise<void> {
  const limits = await server.query<{ name: string }>(
    "SELECT name FROM pg_settings WHERE name IN ('statement_timeout', 'transaction_timeout')",
  );
  for (const { name } of limits) {
    await server.query(`ALTER ROLE "${USER}" IN DATABASE ${database} SET ${name} = '${time}'`);
  }
}

/** A server that a test may stop, kill and set up as it likes: for `itOnOwnServer`. */
export async function ownServer(options: ServerOptions = {}): Promise<PostgresqlServer> {
  const own = await PostgresqlServer.start(options);
  onTestFinished(() => own.remove());
  return own;
}

/** What serves a lost connection is not ended by the one that follows: so that a request can still come late. */
export async function mayEndNothing(database: string): Promise<void> {
  await server.query('REVOKE EXECUTE ON FUNCTION pg_terminate_backend FROM PUBLIC', [], database);
}

/** Refuses what its server would not know if it had no COPY in binary form. */
export async function placeWithoutCopy(): Promise<string> {
  const { proxy, url } = await lineTo(await postgresql.freshPlace());
  proxy.replace('(FORMAT binary)', '[FORMAT binary)');
  return url;
}

interface Line {
  proxy: TcpProxy;
  /** Leads through the proxy. */
  url: string;
  database: string;
}

/** A database of the test's own, and the line to it. */
export async function proxiedPlace(to: PostgresqlAddress = server): Promise<Line> {
  const database = await to.freshDatabase();
  if (to === server) onTestFinished(() => to.dropDatabase(database));
  return lineTo(to.url(database), to);
}

/** A line to a database that is there. */
async function lineTo(place: string, to: PostgresqlAddress = server): Promise<Line> {
  const database = databaseOf(place);
  const proxy = await TcpProxy.listen(to.port, to.host);
  onTestFinished(() => proxy.close());
  return { proxy, database, url: to.url(database, { port: proxy.port }) };
}
