/** libsql and better-sqlite3: SQLite on the main thread, statements prepared once, each call committed. */
import { join } from 'node:path';
import { type Driver, importPeer } from './driver.ts';
import { insertPatch, insertSnapshot, schema, selectPatches, selectSnapshot } from './schema.ts';

interface Statement {
  run(...values: unknown[]): unknown;
  all(...values: unknown[]): { data: Uint8Array }[];
}

interface SynchronousDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): Statement;
  close(): void;
}

function driverOf(peer: string): Driver {
  return {
    title: peer,
    committed: 'each call by itself, statements prepared once, in WAL mode, synchronous = NORMAL',
    peer,
    sharesFile: true,
    async open(folder) {
      const { default: Peer } = await importPeer<{ default: new (path: string) => SynchronousDatabase }>(peer);
      const database = new Peer(join(folder, 'store.db'));
      database.exec('PRAGMA journal_mode = WAL');
      database.exec('PRAGMA synchronous = NORMAL');
      database.exec(schema);
      const insert = database.prepare(insertPatch);
      const save = database.prepare(insertSnapshot);
      const snapshot = database.prepare(selectSnapshot);
      const patches = database.prepare(selectPatches);
      // both bind only Buffers as bytes
      const bufferOf = ({ buffer, byteOffset, byteLength }: Uint8Array) => Buffer.from(buffer, byteOffset, byteLength);
      return {
        store: (id) => ({
          appendPatch: (patch, clock) => void insert.run(id, clock, bufferOf(patch)),
          saveSnapshot: (data) => void save.run(id, bufferOf(data)),
          loadSnapshot: () => snapshot.all(id)[0]?.data,
          loadPatchesSince: (clock) => patches.all(id, clock).map(({ data }) => data),
        }),
        close: () => database.close(),
      };
    },
  };
}

export const libsql = driverOf('libsql');
export const betterSqlite3 = driverOf('better-sqlite3');
