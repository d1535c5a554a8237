/** Copies stores from one file into another, in one transaction of the target. */
import type { DatabaseSync as Database } from 'node:sqlite';
import type { SDS_CopyResult } from '../../../protocol/operations.ts';
import { performance } from '../../../protocol/surroundings.ts';
import { firstRow } from '../../sqlite/node-sqlite.ts';
import { checkSchema, createTables, hasAllTables } from '../../sqlite/schema.ts';
import { OperationError, toFailure } from '../failure.ts';
import type { Progress } from '../progress.ts';
import { openFile } from './open.ts';
import { locate, type Reading, withReading } from './open-to-read.ts';
import { numberOf } from './page-counts.ts';
import { PartialFile, refuseForeignLog } from './partial-file.ts';
import { placeFor, refuseSame } from './replace-file.ts';
import { requireStoreFile } from './store-file.ts';
import { textOf } from './text.ts';

export interface CopyTask {
  source: string;
  target: string;
  stores: string[] | undefined;
  overwrite: boolean;
  values: boolean;
}

export const BUSY_MS = 5000;
/** Rows that are read together; large values one at a time. */
export const ROWS_A_READ = 256;
const BYTES_A_READ = 4 * 1024 * 1024;

type Counts = Pick<SDS_CopyResult, 'Stores' | 'Snapshots' | 'Patches' | 'Values'>;

export async function copyStores(task: CopyTask, progress: Progress): Promise<SDS_CopyResult> {
  const begun = performance.now();
  const stats = locate(task.source);
  const target = placeFor(task.target);
  refuseSame(stats, target);
  return withReading(task.source, (look) => {
    requireStoreFile(look.database, look.path);
    const counts =
      target.existing === undefined
        ? intoNewFile(look, target.path, stats.mode, task, progress)
        : into(look, target.path, task, progress);
    return { Path: target.path, ...counts, Milliseconds: performance.now() - begun };
  });
}

/** A file that is not there yet appears when it is whole. */
function intoNewFile(look: Reading, path: string, mode: number, task: CopyTask, progress: Progress): Counts {
  refuseForeignLog(path);
  const partial = new PartialFile(path, mode);
  const free = numberOf(look.database, 'freelist_count');
  const pages = numberOf(look.database, 'page_count');
  // of a damaged file all is saved that can be read, whatever it says of itself
  const bytes = (free >= 0 && free <= pages ? pages - free : pages) * numberOf(look.database, 'page_size');
  try {
    if (task.stores === undefined) partial.needs(bytes);
    const counts = partial.fill(bytes, () => into(look, partial.path, task, progress));
    partial.publish(false);
    return counts;
  } finally {
    partial.remove();
  }
}

function into(look: Reading, path: string, task: CopyTask, progress: Progress): Counts {
  const database = openFile(path, 'mode=rw');
  try {
    database.exec(`PRAGMA trusted_schema = OFF; PRAGMA busy_timeout = ${BUSY_MS}; PRAGMA cell_size_check = ON`);
    checkSchema(database);
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    if (!hasAllTables(database)) createTables(database);
    // the end of it fails or succeeds as a whole; readers of the target see all of it or nothing
    database.exec('BEGIN IMMEDIATE');
    progress.holdsUpOthers = true;
    const counts = copyAll(look, database, path, task, progress);
    progress.lastChance();
    database.exec('COMMIT');
    return counts;
  } catch (error) {
    throw toFailure(error, path);
  } finally {
    // rolls back what was not committed
    closeTarget(database);
  }
}

export function closeTarget(database: Database): void {
  try {
    database.exec('ROLLBACK');
  } catch {
    // nothing was begun, or all of it is committed: either way there is nothing to roll back
  }
  database.close();
}

function copyAll(look: Reading, database: Database, path: string, task: CopyTask, progress: Progress): Counts {
  const counts: Counts = { Stores: 0, Snapshots: 0, Patches: 0, Values: 0 };
  const stores = storesOf(look);
  const wanted = task.stores ?? [...stores.keys()];
  const has = database.prepare(
    'SELECT 1 FROM patches WHERE store_id = ? UNION ALL SELECT 1 FROM snapshots WHERE store_id = ? LIMIT 1',
  );
  for (const name of wanted) {
    const id = stores.get(name);
    if (id === undefined) {
      throw new OperationError(
        'invalid-argument',
        look.path,
        `there is no store ${JSON.stringify(name)} in this file; 'info' tells which there are`,
      );
    }
    if (has.all(name, name).length > 0) {
      if (!task.overwrite) {
        throw new OperationError(
          'file-exists',
          path,
          `the store ${JSON.stringify(name)} is there already; it was left as it is: Overwrite replaces it`,
        );
      }
      database.prepare('DELETE FROM patches WHERE store_id = ?').run(name);
      database.prepare('DELETE FROM snapshots WHERE store_id = ?').run(name);
    }
    counts.Stores++;
    counts.Snapshots += copySnapshot(look, database, id, name);
    counts.Patches += copyPatches(look, database, id, name, progress);
  }
  if (task.values) counts.Values = copyValues(look, database, progress);
  return counts;
}

/** Names of the stores, and the bytes by which the source finds them. */
export function storesOf(look: { database: Database }): Map<string, Uint8Array> {
  const stores = new Map<string, Uint8Array>();
  const sql =
    'SELECT DISTINCT CAST(store_id AS BLOB) AS id FROM patches UNION SELECT CAST(store_id AS BLOB) FROM snapshots';
  for (const { id } of look.database.prepare(sql).all()) {
    if (id instanceof Uint8Array) stores.set(textOf(look, id), id);
  }
  return stores;
}

function copySnapshot(look: Reading, database: Database, id: Uint8Array, name: string): number {
  const row = firstRow(look.database.prepare('SELECT clock, data FROM snapshots WHERE store_id = CAST(? AS TEXT)'), id);
  if (row === undefined) return 0;
  const insert = database.prepare('INSERT INTO snapshots (store_id, clock, data) VALUES (?, ?, ?)');
  insert.run(name, row.clock as number, row.data as Uint8Array);
  return 1;
}

function copyPatches(look: Reading, database: Database, id: Uint8Array, name: string, progress: Progress): number {
  const source = look.database;
  const total = Number(
    firstRow(source.prepare('SELECT count(*) AS n FROM patches WHERE store_id = CAST(? AS TEXT)'), id)?.n,
  );
  const heads = source.prepare(
    `SELECT clock, length(data) AS bytes FROM patches WHERE store_id = CAST(? AS TEXT) AND clock > ? ORDER BY clock LIMIT ${ROWS_A_READ}`,
  );
  const read = source.prepare(
    'SELECT clock, data FROM patches WHERE store_id = CAST(? AS TEXT) AND clock BETWEEN ? AND ?',
  );
  const insert = database.prepare('INSERT INTO patches (store_id, clock, data) VALUES (?, ?, ?)');
  let copied = 0;
  for (let after = Number.MIN_SAFE_INTEGER - 1; ; ) {
    const rows = heads.all(id, after);
    for (const [first, last] of pieces(rows, 'clock')) {
      for (const { clock, data } of read.all(id, first as number, last as number)) {
        insert.run(name, clock as number, data as Uint8Array);
        copied++;
      }
      progress.step('rows', copied, total, 'rows');
    }
    const last = rows.at(-1);
    if (last === undefined || (last.clock as number) <= after) return copied;
    after = last.clock as number;
  }
}

function copyValues(look: Reading, database: Database, progress: Progress): number {
  const source = look.database;
  const total = Number(firstRow(source.prepare('SELECT count(*) AS n FROM blobs'))?.n);
  const heads = source.prepare(
    `SELECT rowid AS row, length(data) AS bytes FROM blobs WHERE rowid > ? ORDER BY rowid LIMIT ${ROWS_A_READ}`,
  );
  const read = source.prepare(
    'SELECT CAST(hash AS BLOB) AS hash, data, ref_count FROM blobs WHERE rowid BETWEEN ? AND ?',
  );
  const insert = database.prepare(
    'INSERT INTO blobs (hash, data, ref_count) VALUES (?, ?, ?) ON CONFLICT (hash) DO UPDATE SET ref_count = ref_count + excluded.ref_count',
  );
  let copied = 0;
  for (let after = Number.MIN_SAFE_INTEGER; ; ) {
    const rows = heads.all(after);
    for (const [first, last] of pieces(rows, 'row')) {
      for (const { hash, data, ref_count } of read.all(first as number, last as number)) {
        insert.run(textOf(look, hash), data as Uint8Array, ref_count as number);
        copied++;
      }
      progress.step('values', copied, total, 'rows');
    }
    const last = rows.at(-1);
    if (last === undefined || (last.row as number) <= after) return copied;
    after = last.row as number;
  }
}

/** First and last key of rows that are read together. */
export function* pieces(rows: readonly Record<string, unknown>[], key: string): Generator<[unknown, unknown]> {
  for (let start = 0; start < rows.length; ) {
    let end = start + 1;
    for (let bytes = Number(rows[start]?.bytes); end < rows.length; end++) {
      bytes += Number(rows[end]?.bytes);
      if (bytes > BYTES_A_READ) break;
    }
    yield [rows[start]?.[key], rows[end - 1]?.[key]];
    start = end;
  }
}
