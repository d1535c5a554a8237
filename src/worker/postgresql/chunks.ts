/**
 * Bytes too many for one row: in rows of 256 KiB under a version of their own, so that what is read belongs together.
 * They are read by binary COPY; where a server has none (CockroachDB), by ordinary statements.
 */
import { randomUUID } from 'node:crypto';
import { EngineError } from '../engine.ts';
import type { Connection } from './connection.ts';

/** What is longer than a chunk lies in chunks; else in the row itself. */
export const CHUNK_BYTES = 256 * 1024;
export const MOST_INLINE: number = CHUNK_BYTES;
/** The bytes that cross with one ordinary statement. */
const STATEMENT_BYTES = 1024 * 1024;

type HeadTable = 'sds_snapshots' | 'sds_values';
type ChunkTable = 'sds_snapshot_chunks' | 'sds_value_chunks';

const chunkTables: Readonly<Record<HeadTable, ChunkTable>> = {
  sds_snapshots: 'sds_snapshot_chunks',
  sds_values: 'sds_value_chunks',
};
/** Of the head's table and of the chunks'. */
const keyColumns: Readonly<Record<ChunkTable, string>> = { sds_snapshot_chunks: 'store_id', sds_value_chunks: 'hash' };

export function newVersion(): string {
  return randomUUID();
}

export async function writeChunks(
  connection: Connection,
  table: ChunkTable,
  key: string,
  version: string,
  bytes: Buffer,
): Promise<void> {
  const column = keyColumns[table];
  for (let start = 0; start < bytes.byteLength; start += STATEMENT_BYTES) {
    await connection.one(
      `INSERT INTO ${table} (${column}, version, chunk, data) ` +
        `SELECT $1::text, $2::text, $3::int + u.i, substring($4::bytea FROM u.i * ${CHUNK_BYTES} + 1 FOR ${CHUNK_BYTES}) ` +
        'FROM generate_series(0, $5::int - 1) AS u(i)',
      key,
      version,
      String(start / CHUNK_BYTES),
      bytes.subarray(start, start + STATEMENT_BYTES),
      String(Math.ceil(Math.min(bytes.byteLength - start, STATEMENT_BYTES) / CHUNK_BYTES)),
    );
  }
}

/** How often the bytes may be replaced by another process while they are read. */
const MOST_ATTEMPTS = 10;

/** Reads what lies in its head's row or in chunks, of whichever version there is; `undefined` if there is no head. */
export async function readWhole(
  connection: Connection,
  heads: HeadTable,
  key: string,
  copy: boolean,
): Promise<Uint8Array | undefined> {
  const table = chunkTables[heads];
  const select = `SELECT version, size, encode(data, 'hex') FROM ${heads} WHERE ${keyColumns[table]} = $1`;
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const { rows } = await connection.one(select, key);
    const [head] = rows;
    if (head === undefined) return undefined;
    const found = await readBehind(connection, heads, key, head, copy);
    if (found !== undefined) return found;
  }
  throw lacksBytes(heads, key);
}

/**
 * Reads what lies behind a head: version, size, and the bytes as `encode` writes them if they lie there. `undefined` if others have
 * taken their place since it was read.
 */
export async function readBehind(
  connection: Connection,
  heads: HeadTable,
  key: string,
  [version, size, data]: readonly (string | null)[],
  copy: boolean,
): Promise<Uint8Array | undefined> {
  if (typeof data === 'string') return new Uint8Array(bytesOf(data));
  return readChunks(connection, chunkTables[heads], key, version ?? '', Number(size), copy);
}

export function lacksBytes(heads: HeadTable, key: string): EngineError {
  return new EngineError('database-corrupt', { message: `${heads}: '${key}' lacks some of its bytes` });
}

/** Reads all of them; `undefined` if others have taken their place since their version was read. */
async function readChunks(
  connection: Connection,
  table: ChunkTable,
  key: string,
  version: string,
  size: number,
  copy: boolean,
): Promise<Uint8Array | undefined> {
  const found = new Uint8Array(size);
  let filled = 0;
  const take = (data: Buffer) => {
    if (filled + data.byteLength > size) throw tooMany(table);
    found.set(data, filled);
    filled += data.byteLength;
  };
  const column = keyColumns[table];
  if (copy) {
    const [ofKey, ofVersion] = [connection.escapeLiteral(key), connection.escapeLiteral(version)];
    await connection.copyOut(
      `SELECT data FROM ${table} WHERE ${column} = ${ofKey} AND version = ${ofVersion} ORDER BY chunk`,
      take,
    );
  } else {
    const perStatement = STATEMENT_BYTES / CHUNK_BYTES;
    for (let chunk = 0; chunk * CHUNK_BYTES < size; chunk += perStatement) {
      const { rows } = await connection.one(
        `SELECT encode(data, 'hex') FROM ${table} WHERE ${column} = $1 AND version = $2 AND chunk >= $3 AND chunk < $4 ORDER BY chunk`,
        key,
        version,
        String(chunk),
        String(chunk + perStatement),
      );
      for (const [data] of rows) take(bytesOf(data));
    }
  }
  return filled === size ? found : undefined;
}

/** Bytes that were asked for by `encode`, which depends on no setting of the server. */
export function bytesOf(hex: string | null | undefined): Buffer {
  return Buffer.from(hex ?? '', 'hex');
}

function tooMany(table: string): EngineError {
  return new EngineError('database-corrupt', { message: `table ${table} has more bytes than its head says` });
}
