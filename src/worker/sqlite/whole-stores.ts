/** What concerns a store as a whole: all of it at once, its compaction, its removal; and which stores there are. */
import type { SeenStore } from '../../protocol/compaction.ts';
import type { StoreFound } from '../../protocol/service.ts';
import { loadPatches } from './patch-loader.ts';
import type { Records } from './records.ts';
import { bytesOf, type Statements } from './statements.ts';
import { isUtf8, textOf } from './text.ts';

const BELOW_ALL = Number.MIN_SAFE_INTEGER - 1;

/** Call it within a transaction. */
export function loadStore(storeId: string, statements: Statements): StoreFound {
  const snapshot = statements.first('SELECT data, clock FROM snapshots WHERE store_id = ?', storeId);
  const patches = loadPatches(statements, storeId, BELOW_ALL);
  const last = statements.first('SELECT max(clock) AS clock FROM patches WHERE store_id = ?', storeId);
  const clocks = [snapshot?.clock, last?.clock].filter((clock) => typeof clock === 'number');
  return {
    snapshot: bytesOf(snapshot),
    snapshotClock: snapshot?.clock as number | undefined,
    patches,
    lastClock: clocks.length === 0 ? 0 : Math.max(...clocks),
  };
}

export function saveSnapshot(storeId: string, data: Uint8Array, clock: number, statements: Statements): void {
  statements.write(
    'INSERT INTO snapshots (data, store_id, clock) SELECT ?, ?, ? WHERE ? ' +
      'ON CONFLICT (store_id) DO UPDATE SET data = excluded.data, clock = excluded.clock',
    data,
    storeId,
    clock,
  );
}

/** Whether a store is as it was when a compaction up to that number was made from it. */
export function isAsSeen(storeId: string, clock: number, seen: SeenStore, statements: Statements): boolean {
  const snapshot = statements.first('SELECT clock FROM snapshots WHERE store_id = ?', storeId);
  if (snapshot?.clock !== seen.snapshotClock) return false;
  const count = 'SELECT count(*) AS patches FROM patches WHERE store_id = ? AND clock <= ?';
  return statements.first(count, storeId, clock)?.patches === seen.patches;
}

/** Returns how many rows there were. */
export function removeStore(storeId: string, statements: Statements, records: Records): number {
  return (
    statements.run('DELETE FROM snapshots WHERE store_id = ?', storeId) +
    statements.run('DELETE FROM patches WHERE store_id = ?', storeId) +
    records.removeAll(storeId, '')
  );
}

/** One of the documents that `@hocuspocus/extension-sqlite` has left in a file, if nothing is stored there but these. */
export function notImported(statements: Statements): string[] {
  // first: else all rows of the other program were looked through for each file that was imported in its place
  if (statements.first('SELECT 1 FROM snapshots UNION ALL SELECT 1 FROM patches LIMIT 1') !== undefined) return [];
  const columns =
    'SELECT group_concat(of_table.name) AS names FROM sqlite_schema AS the_table, pragma_table_info(the_table.name) AS of_table ' +
    "WHERE the_table.type = 'table' AND the_table.name = 'documents'";
  if (statements.first(columns)?.names !== 'name,data') return [];
  const row = statements.first('SELECT CAST(name AS BLOB) AS name FROM documents WHERE length(data) > 0 LIMIT 1');
  return row === undefined ? [] : [textOf(statements, row.name)];
}

/** In the order of their names' UTF-8 bytes. */
export function storesOf(statements: Statements, records: Records): string[] {
  // by leaps through the index, from each store to the next: there may be millions of rows
  const leaps = (table: string) =>
    `SELECT id FROM (WITH RECURSIVE found (id) AS (SELECT min(store_id) FROM ${table} UNION ALL ` +
    `SELECT (SELECT min(store_id) FROM ${table} WHERE store_id > found.id) FROM found WHERE id IS NOT NULL) SELECT id FROM found)`;
  const tables = records.isThere ? ['patches', 'sds_records'] : ['patches'];
  const sql = [...tables.map(leaps), 'SELECT store_id FROM snapshots'].join(' UNION ');
  const rows = statements
    .get(`SELECT CAST(id AS BLOB) AS name FROM (${sql}) WHERE typeof(id) = 'text' ORDER BY id`)
    .all();
  const names = rows.map(({ name }) => textOf(statements, name));
  return isUtf8(statements) ? names : names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
