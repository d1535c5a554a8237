/**
 * One PostgreSQL server for the tests of all files: that of SDS_POSTGRESQL_URL, or one that is started before the first
 * test. Where there is none, says so once.
 */
import type { TestProject } from 'vitest/node';
import { PostgresqlAddress, type Superuser } from './postgresql-address.ts';
import { findBinaries, howToHaveIt } from './postgresql-binaries.ts';
import { PostgresqlServer } from './postgresql-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /**
     * A running PostgreSQL server, `given` if it was not started for the tests, else with the folder of one that was
     * stopped in time, for others to be copies of; or why there is none.
     */
    postgresql:
      | { port: number; pristine: string }
      | { port: number; given: { host: string; superuser: Superuser } }
      | { missing: string };
  }
}

export default async function startPostgresql(project: TestProject): Promise<() => Promise<void>> {
  const url = process.env.SDS_POSTGRESQL_URL;
  if (url !== undefined && url !== '') return useGiven(project, url);
  if (findBinaries() === undefined) {
    const missing = `there is no PostgreSQL here; ${howToHaveIt}`;
    console.warn(`The tests on PostgreSQL are left out: ${missing}`);
    project.provide('postgresql', { missing });
    return async () => undefined;
  }
  // to make a cluster takes longer than to copy one
  const pristine = await PostgresqlServer.start();
  await pristine.stop();
  const server = await PostgresqlServer.start({
    copyOf: pristine.folder,
    settings: { max_connections: 200, autovacuum: 'off' },
  });
  project.provide('postgresql', { port: server.port, pristine: pristine.folder });
  return async () => {
    await server.remove();
    await pristine.remove();
  };
}

/** A user and databases are made there, and taken away again; what the server is, is asked of itself. */
async function useGiven(project: TestProject, url: string): Promise<() => Promise<void>> {
  const { hostname: host, port, username, password, pathname } = new URL(url);
  const superuser: Superuser = {
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)) || 'postgres',
  };
  const server = new PostgresqlAddress(Number(port || 5432), host, superuser);
  const [row] = await server.query<{ version: string }>('SELECT version()');
  console.warn(`The tests on PostgreSQL run on ${row?.version}; those that need a server of their own are left out`);
  await server.makeUser();
  project.provide('postgresql', { port: server.port, given: { host, superuser } });
  return async () => {
    await server.dropUser();
    await server.leave();
  };
}
