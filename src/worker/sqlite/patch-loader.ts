/**
 * Loads many patches at a fraction of the cost of a row each: SQLite joins the bytes of many rows,
 * and tells their lengths beside them, so that one value comes back for hundreds of patches.
 * Measured for 100,000 patches of 200 bytes: 50 ms, against 100 to 200 ms row by row.
 */
import type { PackedBytes } from '../../protocol/packed-bytes.ts';
import { EngineError } from '../engine.ts';
import { PACK_BYTES } from '../packer.ts';
import { isTooBig, strangeRow } from './errors.ts';
import type { Statements } from './statements.ts';
import { isUtf8 } from './text.ts';

/** Nobody knows how large patches are before the first: it goes alone, then so many times more. */
const FIRST_ROWS = 1;
const MORE_ROWS = 16;
const MOST_ROWS = 8192;

/** A number crosses as a text of all its digits: one beyond 2^53, as the synchronous provider stores it, is no number of JavaScript's. */
const SINGLE = 'SELECT quote(clock) AS last, data FROM patches WHERE store_id = ? AND clock > ? ORDER BY clock LIMIT 1';
/**
 * In a database in UTF-8, bytes taken for text and back stay what they are, NUL included. The order is that of the subquery,
 * which runs as a coroutine because it has a LIMIT.
 */
const JOINED =
  "SELECT CAST(group_concat(data, '') AS BLOB) AS bytes, group_concat(octet_length(data)) AS lengths, " +
  "quote(max(clock)) AS last, count(*) AS count, sum(octet_length(data)) AS total, min(typeof(data) = 'blob') AS sound FROM " +
  '(SELECT clock, data FROM patches WHERE store_id = ? AND clock > ? ORDER BY clock LIMIT ?)';

const NO_BLOB = 'a patch is no BLOB';

type LastPack = PackedBytes[number] & { last: string };

/** All patches of a store above a number, in order, as packs. Call it within a transaction. */
export function loadPatches(statements: Statements, storeId: string, clock: number): PackedBytes {
  const packs: PackedBytes = [];
  let after: number | string = clock;
  let rows = FIRST_ROWS;
  for (;;) {
    const found: LastPack | undefined = isUtf8(statements) ? joinRows(statements, storeId, after, rows) : undefined;
    const pack: LastPack | undefined = found ?? oneRow(statements, storeId, after);
    if (pack === undefined) return packs;
    packs.push({ bytes: pack.bytes, lengths: pack.lengths });
    if (found !== undefined && pack.lengths.length < rows) return packs;
    after = pack.last;
    const average = pack.bytes.byteLength / pack.lengths.length;
    rows = Math.min(Math.max(Math.floor(PACK_BYTES / (average + 1)), 1), MOST_ROWS, rows * MORE_ROWS);
  }
}

/** One value with the bytes of up to `rows` patches; `undefined` if there are none, or too many bytes. */
function joinRows(statements: Statements, storeId: string, after: number | string, rows: number): LastPack | undefined {
  let row: Record<string, unknown> | undefined;
  try {
    row = statements.first(JOINED, storeId, after, rows);
  } catch (error) {
    if (isTooBig(error)) return undefined; // more than SQLite can join: row by row
    throw error;
  }
  if (row === undefined || row.count === 0) return undefined;
  if (row.sound !== 1) throw strangeRow(NO_BLOB);
  const bytes = row.bytes as Uint8Array;
  const lengths = new Int32Array(JSON.parse(`[${row.lengths}]`));
  if (bytes.byteLength !== row.total) {
    throw new EngineError('database-corrupt', { message: 'the lengths of patches do not add up' });
  }
  return { bytes, lengths, last: numberIn(row.last) };
}

function oneRow(statements: Statements, storeId: string, after: number | string): LastPack | undefined {
  const row = statements.first(SINGLE, storeId, after);
  if (row === undefined) return undefined;
  if (!(row.data instanceof Uint8Array)) throw strangeRow(NO_BLOB);
  return { bytes: row.data, lengths: Int32Array.of(row.data.byteLength), last: numberIn(row.last) };
}

/** In the form of an SQL literal. */
function numberIn(last: unknown): string {
  if (/^['X]/.test(String(last))) throw strangeRow('the number of a patch is none');
  return String(last);
}
