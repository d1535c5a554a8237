/** The tables: three shared with the synchronous provider, and that of records. No file may have others in their place. */
import type { DatabaseSync } from 'node:sqlite';
import { EngineError } from '../engine.ts';
import { firstRow } from './node-sqlite.ts';

/** What is compared with row numbers to begin with: no integer of SQLite's is as low. */
export const BEFORE_ALL = '-10000000000000000000';

const tables: Record<string, string> = {
  snapshots: 'store_id TEXT PRIMARY KEY, data BLOB NOT NULL, clock INTEGER NOT NULL',
  patches: 'store_id TEXT NOT NULL, clock INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (store_id, clock)',
  blobs: 'hash TEXT PRIMARY KEY, data BLOB NOT NULL, ref_count INTEGER NOT NULL DEFAULT 0',
};
/** Under a name that no table of a program's own has. With a rowid, by which records are in the order in which they were made. */
const RECORDS = 'store_id TEXT NOT NULL, key TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (store_id, key)';

/** Finds a row if there is that table. */
export const RECORDS_TABLE = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'sds_records' COLLATE NOCASE";

/** name, type, NOT NULL, default, position in the primary key (0: none), as `PRAGMA table_xinfo` tells them. */
const columns: Record<string, string[]> = {
  snapshots: ['store_id TEXT 0 - 1', 'data BLOB 1 - 0', 'clock INTEGER 1 - 0'],
  patches: ['store_id TEXT 1 - 1', 'clock INTEGER 1 - 2', 'data BLOB 1 - 0'],
  blobs: ['hash TEXT 0 - 1', 'data BLOB 1 - 0', 'ref_count INTEGER 1 0 0'],
  sds_records: ['store_id TEXT 1 - 1', 'key TEXT 1 - 2', 'data BLOB 1 - 0'],
};

const isSafe = (column: string) =>
  `typeof(${column}) = 'integer' AND ${column} BETWEEN ${Number.MIN_SAFE_INTEGER} AND ${Number.MAX_SAFE_INTEGER}`;
/** What holds for each row that a provider writes: of a patch or a snapshot, of a value, and of a record. */
export const isUsual = `typeof(store_id) = 'text' AND typeof(data) = 'blob' AND ${isSafe('clock')}`;
export const isUsualValue = `typeof(hash) = 'text' AND typeof(data) = 'blob' AND ${isSafe('ref_count')}`;
export const isUsualRecord = "typeof(store_id) = 'text' AND typeof(key) = 'text' AND typeof(data) = 'blob'";

interface SchemaRow {
  type: string;
  name: string;
  tbl_name: string;
  sql: string | null;
}

export function hasAllTables(database: DatabaseSync): boolean {
  const names = new Set(rowsOf(database).map(({ name }) => name.toLowerCase()));
  return Object.keys(tables).every((name) => names.has(name));
}

/** Within a transaction. */
export function createTables(database: DatabaseSync): void {
  for (const [name, definition] of Object.entries(tables)) {
    database.exec(`CREATE TABLE IF NOT EXISTS ${name} (${definition})`);
  }
}

export function hasRecords(database: DatabaseSync): boolean {
  return firstRow(database.prepare(RECORDS_TABLE)) !== undefined;
}

/** Within a transaction: whoever sees the table sees a record in it. */
export function createRecords(database: DatabaseSync): void {
  database.exec(`CREATE TABLE IF NOT EXISTS sds_records (${RECORDS})`);
}

function rowsOf(database: DatabaseSync): SchemaRow[] {
  const rows = database.prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema').all();
  const isOdd = rows.some(({ type, name }) => typeof type !== 'string' || typeof name !== 'string');
  if (isOdd) throw new EngineError('database-corrupt', { message: 'a row of its schema has no name' });
  return rows as unknown as SchemaRow[];
}

/** The tables of this package that are there, as the file spells them. */
export function ownTables(database: DatabaseSync): string[] {
  const own = rowsOf(database).filter(
    ({ type, name }) => type === 'table' && Object.hasOwn(columns, name.toLowerCase()),
  );
  return own.map(({ name }) => name);
}

/** Refuses a file in which our statements would do something else than they say. */
export function checkSchema(database: DatabaseSync): void {
  const message = mismatchOf(database);
  if (message !== undefined) throw new EngineError('schema-mismatch', { message });
}

/** Refuses a file that was never one of this package as well. */
export function requireStoreFile(database: DatabaseSync): void {
  const message = mismatchOf(database) ?? missingOf(database);
  if (message !== undefined) throw new EngineError('schema-mismatch', { message });
}

/** What is there instead, if not all tables of this package are. */
export function missingOf(database: DatabaseSync): string | undefined {
  if (hasAllTables(database)) return undefined;
  const names = rowsOf(database).flatMap(({ type, name }) => (type === 'table' ? [`'${name}'`] : []));
  return names.length === 0 ? 'there are no tables in it' : `its tables are ${names.sort().slice(0, 6).join(', ')}`;
}

/** Tables of another shape, constraints that would make SQLite skip rows, triggers and views in the way, if there are any. */
export function mismatchOf(database: DatabaseSync): string | undefined {
  for (const { type, name, tbl_name, sql } of rowsOf(database)) {
    const ours = Object.hasOwn(columns, name.toLowerCase());
    const onOurs = Object.hasOwn(columns, String(tbl_name).toLowerCase());
    if (ours && type !== 'table') return `'${name}' is a ${type}`;
    if (onOurs && type === 'trigger') return `there is a trigger '${name}' on '${tbl_name}'`;
    const mismatch = ours ? mismatchOfTable(database, name, sql ?? '') : undefined;
    if (mismatch !== undefined) return mismatch;
  }
  return undefined;
}

function mismatchOfTable(database: DatabaseSync, name: string, sql: string): string | undefined {
  const table = name.toLowerCase();
  const found = database
    .prepare(
      `SELECT lower(name) || ' ' || upper(type) || ' ' || [notnull] || ' ' || coalesce(dflt_value, '-') || ' ' || pk || ` +
        `CASE hidden WHEN 0 THEN '' ELSE ' hidden' END AS form FROM pragma_table_xinfo('${table}')`,
    )
    .all()
    .map(({ form }) => String(form));
  const wanted = columns[table] ?? [];
  if (found.length !== wanted.length || wanted.some((form) => !found.includes(form))) {
    return `table '${name}' has the columns (${found.join(', ')}), not (${wanted.join(', ')})`;
  }
  // names in quotes and comments say nothing, and may hide each other
  const plain = sql.replace(/'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/g, ' ');
  const odd = /\b(CHECK|GENERATED|COLLATE|REFERENCES|CONFLICT|UNIQUE|VIRTUAL|WITHOUT)\b/i.exec(plain);
  if (odd !== null) return `table '${name}' has a ${odd[0].toUpperCase()} clause`;
  const indexes = database.prepare(`SELECT name, [unique], origin, partial FROM pragma_index_list('${table}')`).all();
  for (const index of indexes) {
    if (index.origin !== 'pk' && (index.unique !== 0 || index.partial !== 0)) {
      return `table '${name}' has an index '${index.name}' that is unique or partial`;
    }
    const count = database.prepare('SELECT count(*) AS expressions FROM pragma_index_xinfo(?) WHERE cid = -2');
    if (firstRow(count, String(index.name))?.expressions !== 0)
      return `table '${name}' has an index '${index.name}' on an expression`;
  }
  return undefined;
}
