/** The stores in a table, found by its index one after the other: between two of them the caller may stop it. */
import { firstRow } from '../../sqlite/node-sqlite.ts';
import type { Progress } from '../progress.ts';
import type { Reading } from './open-to-read.ts';

export type Row = Record<string, unknown>;
/** What a `THIS_STORE` in SQL is bound to. */
type Name = [isBlob: number, id: Uint8Array, id: Uint8Array];

/** The bytes of a store's name, and by what it is told from all others, which may be read as the same text. */
export const NAMED = 'CAST(store_id AS BLOB) AS id, typeof(store_id) || hex(store_id) AS key';
export const THIS_STORE = 'iif(?, ?, CAST(? AS TEXT))';

/**
 * With each store it tells how many rows those before it have.
 * @param columns - of each store, besides its name and how many rows there are
 */
export function* eachStore(
  { database }: Pick<Reading, 'database'>,
  table: string,
  columns: string,
  total = 0,
  progress?: Progress,
): Generator<[Row, Name, before: number]> {
  const first = (which: string) =>
    database.prepare(
      `SELECT ${NAMED}, count(*) AS rows, ${columns} FROM ${table} WHERE store_id ${which} GROUP BY store_id LIMIT 1`,
    );
  const next = first(`> ${THIS_STORE}`);
  const seen = new Set<string>();
  let done = 0;
  for (let row = firstRow(first(">= ''")); row?.id instanceof Uint8Array; ) {
    const key = String(row.key);
    // in a damaged index the next may be one that was there before
    if (seen.has(key)) return;
    seen.add(key);
    const name: Name = [Number(key.startsWith('blob')), row.id, row.id];
    yield [row, name, done];
    done += Number(row.rows);
    progress?.step('rows', done, Math.max(total, done), 'rows');
    row = firstRow(next, ...name);
  }
  // there are fewer than it seemed
  if (done < total) progress?.step('rows', done, done, 'rows');
}
