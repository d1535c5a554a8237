/** Starts one PostgreSQL server before the first test, for all files; where there is none, says so once. */
import type { TestProject } from 'vitest/node';
import { findBinaries, howToHaveIt } from './postgresql-binaries.ts';
import { PostgresqlServer } from './postgresql-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The port of a running PostgreSQL server, or why there is none. */
    postgresql: { port: number } | { missing: string };
  }
}

export default async function startPostgresql(project: TestProject): Promise<() => Promise<void>> {
  if (findBinaries() === undefined) {
    const missing = `there is no PostgreSQL here; ${howToHaveIt}`;
    console.warn(`The tests on PostgreSQL are left out: ${missing}`);
    project.provide('postgresql', { missing });
    return async () => undefined;
  }
  const server = await PostgresqlServer.start({ settings: { max_connections: 200 } });
  project.provide('postgresql', { port: server.port });
  return () => server.remove();
}
