/** What lies in a PostgreSQL database, in the form of `rowsOf`, read as the tables are described: not by our own code. */
import type pg from 'pg';
import type { Rows } from './rows.ts';

interface Stored {
  name: string;
  number: string;
  data: Buffer | null;
  size: string | null;
  chunks: Buffer | null;
}

/** Rows of a head table with the bytes of their chunks, in order. */
const heads = (name: string, number: string, table: string, chunks: string) => `
  SELECT ${name} AS name, ${number} AS number, data, size,
    (SELECT string_agg(c.data, '' ORDER BY c.chunk) FROM ${chunks} c WHERE c.${name} = h.${name} AND c.version = h.version) AS chunks
  FROM ${table} h`;

/** All rows, under the names that callers gave them. */
export async function rowsFrom(client: pg.Client): Promise<Rows> {
  // one snapshot of the database for all tables
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  try {
    const { rows: tables } = await client.query<{ there: boolean }>(
      `SELECT to_regclass('sds_long_names') IS NOT NULL AS there`,
    );
    if (!tables[0]?.there) return { snapshots: [], patches: [], blobs: [], records: [] };
    const { rows: names } = await client.query<{ short: string; name: string }>(
      'SELECT short, name FROM sds_long_names',
    );
    const long = new Map(names.map(({ short, name }) => [short, name]));
    const read = async (sql: string) =>
      (await client.query<Stored>(sql)).rows
        .map((row) => ({ name: nameOf(row.name, long), number: Number(row.number), data: bytesOf(row) }))
        .sort((a, b) => orderOf(a.name, b.name) || a.number - b.number);
    const snapshots = await read(heads('store_id', 'clock', 'sds_snapshots', 'sds_snapshot_chunks'));
    const patches = await read(
      'SELECT store_id AS name, clock AS number, data, NULL AS size, NULL AS chunks FROM sds_patches',
    );
    const blobs = await read(heads('hash', 'ref_count', 'sds_values', 'sds_value_chunks'));
    const { rows: records } = await client.query<{ name: string; key: Buffer; data: Buffer }>(
      'SELECT store_id AS name, coalesce(long_key, key) AS key, data FROM sds_records ORDER BY store_id, position, key',
    );
    const loose = Number((await client.query<{ count: string }>(LOOSE_CHUNKS)).rows[0]?.count);
    if (loose > 0) throw new Error(`${loose} chunks belong to nothing`);
    return {
      snapshots: snapshots.map(({ name, number, data }) => ({ store_id: name, clock: number, data })),
      patches: patches.map(({ name, number, data }) => ({ store_id: name, clock: number, data })),
      blobs: blobs.map(({ name, number, data }) => ({ hash: name, ref_count: number, data })),
      records: records
        .map(({ name, key, data }) => ({
          store_id: nameOf(name, long),
          key: key.toString(),
          data: data.toString('hex'),
        }))
        .sort((a, b) => orderOf(a.store_id, b.store_id)),
    };
  } finally {
    await client.query('COMMIT');
  }
}

/** How many chunk rows belong to nothing: they would stay for ever. Those of a snapshot before go with the next one. */
const LOOSE_CHUNKS = `
  SELECT (SELECT count(*) FROM sds_snapshot_chunks c WHERE NOT EXISTS (SELECT FROM sds_snapshots h WHERE h.store_id = c.store_id))
       + (SELECT count(*) FROM sds_value_chunks c
            WHERE NOT EXISTS (SELECT FROM sds_values h WHERE h.hash = c.hash AND h.version = c.version AND h.data IS NULL)) AS count`;

function orderOf(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function bytesOf({ name, data, size, chunks }: Stored): string {
  const bytes = data ?? chunks ?? Buffer.alloc(0);
  if (size !== null && bytes.length !== Number(size)) {
    throw new Error(`'${name}' has ${bytes.length} bytes, and its row says ${size}`);
  }
  return bytes.toString('hex');
}

function nameOf(stored: string, long: ReadonlyMap<string, string>): string {
  let whole = stored;
  if (stored.startsWith('\\#')) {
    const name = long.get(stored);
    if (name === undefined) throw new Error(`there is no long name for '${stored}'`);
    whole = name;
  }
  return whole.replaceAll(/\\([\\0])/g, (_, escaped: string) => (escaped === '0' ? '\0' : '\\'));
}
