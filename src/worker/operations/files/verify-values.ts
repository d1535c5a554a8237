/** Compares values with the SHA-256 that is their hash, at about the speed of that: SQLite joins the bytes of many rows. */
import { hash } from 'node:crypto';
import type { DatabaseSync as Database } from 'node:sqlite';
import { firstRow } from '../../sqlite/node-sqlite.ts';
import { encodingOf, textOf } from '../../sqlite/text.ts';
import type { Progress } from '../progress.ts';
import type { Findings } from './findings.ts';
import type { Reading } from './open-to-read.ts';

/** The most rows that are joined, the bytes that they may have together, and the most that one of them may have. */
const MOST_ROWS = 1024;
const JOINED_BYTES = 1024 * 1024;
const MOST_BYTES_A_ROW = 64 * 1024;
/** Rows that are read one by one where some could not be joined: trying to costs more than reading one. */
const MOST_ALONE = 64;
const HASH_LENGTH = 64;
const FIRST_ROW = '-9223372036854775808';

interface Checked {
  Values: number;
  ValuesWithHash: number;
}

/** A run of rows, or as much of it as could be read at once. */
interface Range extends Checked {
  last: string;
}

export function checkValues(reading: Reading, findings: Findings, progress: Progress): Checked {
  const { database } = reading;
  const total = countOf(database, 'blobs');
  const one = oneByOne(reading, findings);
  const join = encodingOf(database) === 'UTF-8' ? joining(reading, findings) : undefined;
  const checked = { Values: 0, ValuesWithHash: 0 };
  for (let after = FIRST_ROW; ; ) {
    const range = join?.(after) ?? one(after);
    // in a damaged table what follows may lie before
    if (range === undefined || BigInt(range.last) <= BigInt(after)) return checked;
    checked.Values += range.Values;
    checked.ValuesWithHash += range.ValuesWithHash;
    progress.step('values', checked.Values, total, 'rows');
    after = range.last;
  }
}

export function countOf(database: Database, table: string): number {
  return Number(firstRow(database.prepare(`SELECT count(*) AS n FROM ${table}`))?.n);
}

type CheckAfter = (after: string) => Range | undefined;

/** One value of SQLite for many rows; `undefined` if there are none, or not all of them are as a provider writes them. */
function joining({ database }: Reading, findings: Findings): CheckAfter {
  // In a database in UTF-8, bytes taken for text and back stay what they are. The order is that of the subquery, which
  // runs as a coroutine since it has a LIMIT.
  const short = `length(data) <= ${MOST_BYTES_A_ROW}`;
  const joined = database.prepare(
    `SELECT CAST(group_concat(iif(${short}, data, NULL), '') AS BLOB) AS bytes, group_concat(length(data)) AS lengths, ` +
      "CAST(group_concat(hash, '') AS BLOB) AS hashes, CAST(max(row) AS TEXT) AS last, " +
      `min(typeof(data) = 'blob' AND ${short} AND typeof(hash) = 'text' AND octet_length(hash) = ${HASH_LENGTH} AND ` +
      "typeof(ref_count) = 'integer' AND ref_count > 0) AS usual FROM " +
      '(SELECT rowid AS row, hash, data, ref_count FROM blobs WHERE rowid > CAST(? AS INTEGER) ORDER BY rowid LIMIT ?)',
  );
  let rows = 16;
  let alone = 0;
  return (after) => {
    if (alone-- > 0) return undefined;
    const row = firstRow(joined, after, rows);
    if (row?.usual !== 1) {
      [rows, alone] = [Math.max(rows >> 2, 1), MOST_ALONE];
      return undefined;
    }
    const bytes = row.bytes as Uint8Array;
    // a character for each byte, as they are cut: a name that is no hash may have fewer
    const hashes = Buffer.from(row.hashes as Uint8Array).toString('latin1');
    let start = 0;
    let index = 0;
    let withHash = 0;
    for (const length of String(row.lengths).split(',')) {
      const end = start + Number(length);
      const name = hashes.slice(index * HASH_LENGTH, ++index * HASH_LENGTH);
      if (compare(name, bytes.subarray(start, end), findings)) withHash++;
      start = end;
    }
    rows = Math.min(Math.ceil((JOINED_BYTES / (bytes.length + 1)) * index), rows * 4, MOST_ROWS);
    return { Values: index, ValuesWithHash: withHash, last: String(row.last) };
  };
}

function oneByOne(reading: Reading, findings: Findings): CheckAfter {
  const next = reading.database.prepare(
    'SELECT CAST(rowid AS TEXT) AS last, CAST(hash AS BLOB) AS hash, typeof(hash) AS kind, data, typeof(data) AS type, ' +
      `CAST(ref_count AS TEXT) AS count, typeof(ref_count) = 'integer' AND ref_count > 0 AS positive ` +
      'FROM blobs WHERE rowid > CAST(? AS INTEGER) ORDER BY rowid LIMIT 1',
  );
  return (after) => {
    const row = firstRow(next, after);
    if (row === undefined) return undefined;
    return { Values: 1, ValuesWithHash: checkValue(reading, row, findings) ? 1 : 0, last: String(row.last) };
  };
}

/** Returns whether its hash was one that could be compared. */
function checkValue(reading: Reading, row: Record<string, unknown>, findings: Findings): boolean {
  const name = textOf(reading, row.hash);
  const where = () => `value ${JSON.stringify(name.slice(0, 80))}`;
  if (row.kind !== 'text' || !(row.data instanceof Uint8Array)) {
    findings.add('wrong-type', 'blobs', () => `table blobs, ${where()}: hash is ${row.kind}, data is ${row.type}`);
    return false;
  }
  if (row.positive !== 1) findings.add('reference-count', '', () => `${where()} has the reference count ${row.count}`);
  return compare(name, row.data, findings);
}

/** Returns whether its name is a hash. */
function compare(name: string, bytes: Uint8Array, findings: Findings): boolean {
  if (name.length !== HASH_LENGTH) return false;
  if (hash('sha256', bytes) === name.toLowerCase()) return true;
  if (!/^[0-9a-f]+$/i.test(name)) return false;
  findings.add('value-mismatch', '', () => `value ${JSON.stringify(name)} has bytes with another SHA-256`);
  return true;
}
