/**
 * Limits on PostgreSQL: one connection of `pg` on the measured thread, and nothing around it. Patches by one packed
 * statement a batch, or by one INSERT a call; snapshots, and all loads, by COPY alone.
 */
import pg from 'pg';
import type { Database, Driver, Store } from './driver.ts';
import { CopyIn, CopyOut, type CopyRow, int4Array, int8Array } from './postgresql-wire.ts';

export const tables = `
  CREATE TABLE IF NOT EXISTS sds_patches (store_id text COLLATE "C", clock bigint, data bytea, PRIMARY KEY (store_id, clock));
  CREATE TABLE IF NOT EXISTS sds_snapshot_chunks (store_id text COLLATE "C", version text COLLATE "C", chunk int, data bytea,
    PRIMARY KEY (store_id, version, chunk));`;

/** Patches in one value, which the server takes apart. */
const packedStatement = `
  INSERT INTO sds_patches (store_id, clock, data)
  SELECT $1::text, u.c, substring($4::bytea FROM u.o FOR u.l)
  FROM unnest($2::bigint[], $3::int[], $5::int[]) u(c, o, l) ON CONFLICT DO NOTHING`;
const insertStatement = 'INSERT INTO sds_patches (store_id, clock, data) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING';

const BATCH = 4096;
export const CHUNK_BYTES = 256 * 1024;

export async function connect(server: string | undefined, pipeline = false): Promise<pg.Client> {
  if (server === undefined) throw new Error('this needs a PostgreSQL server');
  const config: pg.ClientConfig & { pipeline: boolean } = { connectionString: server, pipeline };
  const client = new pg.Client(config);
  await client.connect();
  return client;
}

export function packedQuery(store: string, clocks: readonly number[], patches: readonly Uint8Array[]): pg.QueryConfig {
  const offsets: number[] = [];
  let next = 1;
  for (const { byteLength } of patches) {
    offsets.push(next);
    next += byteLength;
  }
  const lengths = int4Array(patches.map(({ byteLength }) => byteLength));
  const values = [store, int8Array(clocks), int4Array(offsets), Buffer.concat(patches), lengths];
  return { text: packedStatement, values };
}

/** All rows of a query of one column of bytes. */
export async function copyOut(client: pg.Client, query: string, take: (data: Buffer) => void): Promise<void> {
  const copy = new CopyOut(query, take);
  client.query(copy);
  await copy.done;
}

export async function copyIn(client: pg.Client, table: string, rows: Iterable<CopyRow>): Promise<void> {
  const copy = new CopyIn(table, rows);
  client.query(copy);
  await copy.done;
}

export function* chunkRows(store: string, version: string, data: Uint8Array, bytes = CHUNK_BYTES): Generator<CopyRow> {
  const names = [Buffer.from(store), Buffer.from(version)];
  const all = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 0, chunk = 0; at < data.byteLength; at += bytes, chunk++) {
    const number = Buffer.alloc(4);
    number.writeInt32BE(chunk);
    yield { fields: [...names, number], data: all.subarray(at, at + bytes) };
  }
}

/** A snapshot of a size that is known: what `pg` hands out lies in memory that it uses again. */
export async function loadChunks(client: pg.Client, version: string, size: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(size);
  let at = 0;
  const query = `SELECT data FROM sds_snapshot_chunks WHERE version = '${version}' ORDER BY chunk`;
  await copyOut(client, query, (data) => {
    at += data.copy(bytes, at);
  });
  if (at !== size) throw new Error(`${at} bytes of ${size} were loaded`);
  return bytes;
}

function large(client: pg.Client, id: string): Omit<Store, 'appendPatch'> {
  let saved = 0;
  return {
    saveSnapshot: (data) => copyIn(client, 'sds_snapshot_chunks', chunkRows(id, `${++saved}`, data)),
    async loadSnapshot() {
      const { rows } = await client.query<{ version: string; size: string }>(
        'SELECT version, sum(length(data)) AS size FROM sds_snapshot_chunks GROUP BY version ORDER BY version::int DESC LIMIT 1',
      );
      return rows[0] === undefined ? undefined : loadChunks(client, rows[0].version, Number(rows[0].size));
    },
    async loadPatchesSince(clock) {
      const patches: Uint8Array[] = [];
      const query = `SELECT data FROM sds_patches WHERE store_id = '${id}' AND clock > ${clock} ORDER BY clock`;
      await copyOut(client, query, (data) => patches.push(new Uint8Array(data)));
      return patches;
    },
  };
}

function packedDriver(title: string, committed: string, inFlight: number): Driver {
  return {
    title,
    committed,
    async open(_folder, server): Promise<Database> {
      const client = await connect(server, inFlight > 1);
      // `pg` refuses COPY on a connection that pipelines
      const other = inFlight > 1 ? await connect(server) : client;
      await client.query(tables);
      const stores: (() => Promise<void>)[] = [];
      return {
        store(id) {
          let clocks: number[] = [];
          let patches: Uint8Array[] = [];
          stores.push(async () => {
            const underWay: Promise<unknown>[] = [];
            for (let at = 0; at < clocks.length; at += BATCH) {
              if (underWay.length === inFlight) await underWay.shift();
              underWay.push(client.query(packedQuery(id, clocks.slice(at, at + BATCH), patches.slice(at, at + BATCH))));
            }
            await Promise.all(underWay);
            [clocks, patches] = [[], []];
          });
          return {
            appendPatch(patch, clock) {
              clocks.push(clock);
              patches.push(patch);
            },
            ...large(other, id),
          };
        },
        async settle() {
          for (const settle of stores) await settle();
        },
        async close() {
          await client.end();
          if (other !== client) await other.end();
        },
      };
    },
  };
}

const onDisk = 'synchronous_commit = on: survives a power cut of the server';

export const postgresqlPacked = packedDriver(
  'the packed statement alone',
  `a statement of 4,096 rows, one at a time, ${onDisk}`,
  1,
);
export const postgresqlPipelined = packedDriver(
  'the packed statement alone, two in flight',
  `a statement of 4,096 rows, the next one sent before its answer has come, ${onDisk}`,
  2,
);

export const postgresqlInsert: Driver = {
  title: 'one INSERT a call',
  committed: `each call by itself, a prepared statement, one at a time, ${onDisk}`,
  async open(_folder, server) {
    const client = await connect(server);
    await client.query(tables);
    return {
      store: (id) => ({
        appendPatch: ({ buffer, byteOffset, byteLength }, clock) =>
          client.query({
            name: 'insert',
            text: insertStatement,
            values: [id, clock, Buffer.from(buffer, byteOffset, byteLength)],
          }),
        ...large(client, id),
      }),
      close: () => client.end(),
    };
  },
};

export const postgresqlCopy: Driver = {
  ...postgresqlPacked,
  title: 'COPY alone',
  committed: `rows of 256 KiB by one COPY, which commits by itself, ${onDisk}`,
};
