/** PostgreSQL as a place for stores: each a database of its own on one server. */
import type { Engine } from './engine.ts';
import type { PostgresqlAddress } from './postgresql-address.ts';
import { rowsFrom } from './postgresql-rows.ts';

/** Of all tables of ours; a database without them is clean. */
const CLEAN = `DO $$
  DECLARE name text;
  BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE 'sds\\_%' AND tablename <> 'sds_schema' LOOP
      EXECUTE format('DELETE FROM %I', name);
    END LOOP;
  END $$`;

/**
 * What was discarded is emptied and given out again, since to make a database takes longer than most tests. `end`
 * leaves the server to its owner.
 *
 * @param port - where providers are to connect, if something is between them and the server
 */
export function databasesOn(server: PostgresqlAddress, port = server.port): Engine {
  const databases: string[] = [];
  const clean: string[] = [];
  return {
    name: 'PostgreSQL',
    isFile: false,
    freshPlace: async () => {
      const used = clean.pop();
      if (used !== undefined) return server.url(used, { port });
      const database = await server.freshDatabase();
      databases.push(database);
      return server.url(database, { port });
    },
    brokenPlace: async () => server.url('there_is_no_such_database', { port }),
    rowsOf: async (place) => {
      const client = await server.connect(databaseOf(place));
      try {
        return await rowsFrom(client);
      } finally {
        await client.end();
      }
    },
    discard: async (place) => {
      const database = databaseOf(place);
      await server.killBackends(database); // whatever was not closed
      await server.query(CLEAN, [], database);
      clean.push(database);
    },
    end: async () => {
      clean.length = 0;
      for (const database of databases.splice(0)) await server.dropDatabase(database);
    },
  };
}

/** The database that a URL names. */
export const databaseOf = (url: string): string => new URL(url).pathname.slice(1);
