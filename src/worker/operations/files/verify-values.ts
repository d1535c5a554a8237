/** Compares values with the SHA-256 that is their hash. */
import { hash } from 'node:crypto';
import type { DatabaseSync as Database } from 'node:sqlite';
import type { SDS_VerifyResult } from '../../../protocol/operations.ts';
import { looksLikeSha256 } from '../../../protocol/sha-256.ts';
import { firstRow, firstValue } from '../../sqlite/node-sqlite.ts';
import { BEFORE_ALL } from '../../sqlite/schema.ts';
import { textOf } from '../../sqlite/text.ts';
import type { Progress } from '../progress.ts';
import type { Findings } from './findings.ts';
import type { Reading } from './open-to-read.ts';

/** Rows that are looked at together; the bytes of each are read by themselves. */
const ROWS_A_READ = 256;
/** Of a name, as far as it is told: more than a hash has, in each encoding. */
const NAME_BYTES = 512;

type Checked = Pick<SDS_VerifyResult['Checked'], 'Values' | 'ValuesWithHash'>;

/** Counts in `checked` those that it has looked at. */
export function checkValues(reading: Reading, checked: Checked, findings: Findings, progress: Progress): void {
  const { database } = reading;
  const total = countOf(database, 'blobs');
  const next = database.prepare(
    // of no bytes it makes NULL
    `SELECT CAST(rowid AS TEXT) AS row, ifnull(substr(CAST(hash AS BLOB), 1, ${NAME_BYTES}), CAST(hash AS BLOB)) AS hash, ` +
      "typeof(hash) AS kind, typeof(data) AS type, CAST(ref_count AS TEXT) AS count, typeof(ref_count) = 'integer' AND ref_count > 0 AS positive " +
      'FROM blobs WHERE rowid > CAST(? AS NUMERIC) ORDER BY rowid LIMIT ?',
  );
  const bytes = database.prepare('SELECT data FROM blobs WHERE rowid = CAST(? AS INTEGER)');
  for (let [after, limit] = [BEFORE_ALL, ROWS_A_READ]; ; ) {
    let rows: Record<string, unknown>[];
    try {
      rows = next.all(after, limit);
    } catch (error) {
      if (limit === 1) throw error;
      limit = 1; // up to the one that can't be read
      continue;
    }
    for (const row of rows) {
      const data = row.type === 'blob' ? firstRow(bytes, String(row.row))?.data : undefined;
      if (checkValue(reading, row, data, findings)) checked.ValuesWithHash++;
      progress.step('values', ++checked.Values, total, 'rows');
    }
    const last = String(rows.at(-1)?.row);
    // in a damaged table what follows may lie before
    if (rows.length < limit || BigInt(last) <= BigInt(after)) return;
    after = last;
  }
}

export function countOf(database: Database, table: string): number {
  return Number(firstValue(database, `SELECT count(*) FROM ${table}`));
}

/** Returns whether its name is a hash, with which it could be compared. */
function checkValue(reading: Reading, row: Record<string, unknown>, data: unknown, findings: Findings): boolean {
  const name = textOf(reading, row.hash);
  const where = () => `value ${JSON.stringify(name.slice(0, 80))}`;
  if (row.kind !== 'text' || !(data instanceof Uint8Array)) {
    findings.add('wrong-type', 'blobs', () => `table blobs, ${where()}: hash is ${row.kind}, data is ${row.type}`);
    return false;
  }
  if (row.positive !== 1) findings.add('reference-count', '', () => `${where()} has the reference count ${row.count}`);
  if (!looksLikeSha256(name)) return false;
  if (hash('sha256', data) === name.toLowerCase()) return true;
  findings.add('value-mismatch', '', () => `value ${JSON.stringify(name)} has bytes with another SHA-256`);
  return true;
}
