/** PostgreSQL as a place for stores: each a database of its own on one server. */
import type { Engine } from './engine.ts';
import type { PostgresqlAddress } from './postgresql-address.ts';
import { rowsFrom } from './postgresql-rows.ts';

/** `end` leaves the server to its owner. */
export function databasesOn(server: PostgresqlAddress): Engine {
  const databases: string[] = [];
  return {
    name: 'PostgreSQL',
    isFile: false,
    freshPlace: async () => {
      const database = await server.freshDatabase();
      databases.push(database);
      return server.url(database);
    },
    brokenPlace: async () => server.url('there_is_no_such_database'),
    rowsOf: async (place) => {
      const client = await server.connect(databaseOf(place));
      try {
        return await rowsFrom(client);
      } finally {
        await client.end();
      }
    },
    discard: (place) => server.dropDatabase(databaseOf(place)),
    end: async () => {
      for (const database of databases.splice(0)) await server.dropDatabase(database);
    },
  };
}

/** The database that a URL names. */
export const databaseOf = (url: string): string => new URL(url).pathname.slice(1);
