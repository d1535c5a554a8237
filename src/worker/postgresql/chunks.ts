/** Bytes too many for one row: in rows of 256 KiB under a version of their own, so that what is read belongs together. */
import { randomUUID } from 'node:crypto';
import { EngineError } from '../engine.ts';
import { textArray } from './arrays.ts';
import type { Connection, Reading, Statement } from './connection.ts';

export const CHUNK_BYTES = 256 * 1024;

/** What is longer than a chunk lies in chunks; else in the row itself. */
export function isLarge({ byteLength }: Uint8Array): boolean {
  return byteLength > CHUNK_BYTES;
}

/** The bytes that cross with one statement, which the server takes apart: each takes a round trip. */
const STATEMENT_BYTES = 4 * 1024 * 1024;

/** Of each table with heads, that of the chunks, and the key that both have. */
const chunksOf = {
  sds_snapshots: { table: 'sds_snapshot_chunks', column: 'store_id' },
  sds_values: { table: 'sds_value_chunks', column: 'hash' },
};

type HeadTable = keyof typeof chunksOf;

/**
 * Writes them under a new version, which it returns; they count once the head names it. What is left of versions before the one that it
 * names now is deleted first: if that goes on failing, no more is written, or the table would grow without end.
 */
export async function writeChunks(
  connection: Connection,
  heads: HeadTable,
  key: string,
  bytes: Buffer,
): Promise<string> {
  const { table, column } = chunksOf[heads];
  const version = randomUUID();
  for (let start = 0; start < bytes.byteLength; start += STATEMENT_BYTES) {
    const piece = bytes.subarray(start, start + STATEMENT_BYTES);
    const chunks = Math.ceil(piece.byteLength / CHUNK_BYTES);
    const before = start === 0 ? [deletionOfUnnamed(heads, [key])] : [];
    await connection.run(...before, {
      text:
        `INSERT INTO ${table} (${column}, version, chunk, data) ` +
        `SELECT $1::text, $2::text, $3::int + u.i, substring($4::bytea FROM u.i * ${CHUNK_BYTES} + 1 FOR ${CHUNK_BYTES}) ` +
        'FROM generate_series(0, $5::int - 1) AS u(i)',
      values: [key, version, String(start / CHUNK_BYTES), piece, String(chunks)],
    });
  }
  return version;
}

/**
 * Deletes the chunks of these keys whose version no head names. It sees chunks and heads as they are at one moment, so it takes nothing
 * from whoever may have replaced them since.
 */
export function deletionOfUnnamed(heads: HeadTable, keys: readonly string[]): Statement {
  const { table, column } = chunksOf[heads];
  const named = `coalesce((SELECT h.version FROM ${heads} h WHERE h.${column} = c.${column}), '')`;
  return {
    text: `DELETE FROM ${table} c WHERE c.${column} = ANY($1::text[]) AND c.version <> ${named}`,
    values: [textArray(keys)],
  };
}

/** Reads what lies in its head's row or in chunks, by one statement: all of it belongs together. `undefined` if there is no head. */
export async function readWhole(connection: Reading, heads: HeadTable, key: string): Promise<Uint8Array | undefined> {
  const { table, column } = chunksOf[heads];
  const ofKey = connection.escapeLiteral(key);
  const columns = ["convert_to(h.size::text, 'UTF8')", "coalesce(c.data, h.data, '')"];
  const those =
    `FROM ${heads} h LEFT JOIN ${table} c ON c.${column} = ${ofKey} AND c.version = h.version ` +
    `WHERE h.${column} = ${ofKey} ORDER BY c.chunk`;
  let bytes: Uint8Array | undefined;
  let filled = 0;
  await connection.read(columns, those, (field, index) => {
    bytes ??= new Uint8Array(Number(field.toString()));
    if (index === 0) return;
    if (filled + field.byteLength <= bytes.byteLength) bytes.set(field, filled);
    filled += field.byteLength;
  });
  if (bytes === undefined || filled === bytes.byteLength) return bytes;
  const message = `${heads}: '${key}' has ${filled} bytes, and its head says ${bytes.byteLength}`;
  throw new EngineError('database-corrupt', { message });
}
