/** Rigs that run on every kind of database: on files, and on a PostgreSQL server of their own. */
import { type Engine, sqliteFiles } from '../tests/support/engine.ts';
import { findBinaries, howToHaveIt } from '../tests/support/postgresql-binaries.ts';
import { databasesOn } from '../tests/support/postgresql-engine.ts';
import { PostgresqlServer, type ServerOptions } from '../tests/support/postgresql-server.ts';
import type { Report, Rig, RigContext } from './rig.ts';

export type RigOnEngine = (engine: Engine, context: RigContext) => Promise<void>;

export function onFiles(rig: RigOnEngine): Rig {
  return async (context) => {
    const engine = sqliteFiles();
    try {
      await rig(engine, context);
    } finally {
      await engine.end();
    }
  };
}

export function onPostgresql(rig: RigOnEngine): Rig {
  return (context) => withServer(context.report, (server) => rig(databasesOn(server), context));
}

/** Runs `body` with a server of its own; where there is no PostgreSQL, says how to have it. */
export async function withServer(
  report: Report,
  body: (server: PostgresqlServer) => Promise<void>,
  options: ServerOptions = {},
): Promise<void> {
  if (findBinaries() === undefined) return report.skip(`there is no PostgreSQL here; ${howToHaveIt}`);
  const server = await PostgresqlServer.start({ ...options, settings: { max_connections: 200, ...options.settings } });
  try {
    await body(server);
  } finally {
    await server.remove();
  }
}
