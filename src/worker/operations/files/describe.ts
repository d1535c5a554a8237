/** Tells what is in a file. */
import { statSync } from 'node:fs';
import type { DatabaseSync as Database } from 'node:sqlite';
import type { OperationTasks } from '../../../protocol/operation-messages.ts';
import type { SDS_DatabaseDescription, SDS_StoreDescription } from '../../../protocol/operations.ts';
import { EngineError } from '../../engine.ts';
import { firstRow } from '../../sqlite/node-sqlite.ts';
import { checkSchema, hasAllTables } from '../../sqlite/schema.ts';
import { encodingOf, textOf } from '../../sqlite/text.ts';
import type { Progress } from '../progress.ts';
import { type Reading, withReading } from './open-to-read.ts';
import { pageCounts } from './page-counts.ts';

export async function describe(
  { path, quick }: OperationTasks['describe']['given'],
  progress: Progress,
): Promise<SDS_DatabaseDescription> {
  return withReading(path, (reading) => {
    const { database } = reading;
    const sizeOf = (end: string) => statSync(reading.path + end, { throwIfNoEntry: false })?.size ?? 0;
    const Schema = schemaOf(database);
    const IsStoreFile = Schema === '';
    const file = statSync(reading.path);
    const counts = pageCounts(database, reading.path);
    return {
      Path: reading.path,
      Bytes: file.size,
      LogBytes: sizeOf('-wal'),
      IndexBytes: sizeOf('-shm'),
      ModifiedAt: new Date(file.mtimeMs).toISOString(),
      PageBytes: counts.pageBytes,
      Pages: counts.pages,
      FreePages: counts.freePages,
      Encoding: encodingOf(database),
      IsStoreFile,
      Schema,
      NewestPatch: IsStoreFile ? newestPatch(reading) : undefined,
      Stores: IsStoreFile && !quick ? storesOf(reading, progress) : undefined,
      Values: IsStoreFile && !quick ? valuesOf(reading) : undefined,
    };
  });
}

/** What is wrong with the tables; an empty text if nothing is. */
function schemaOf(database: Database): string {
  try {
    checkSchema(database);
  } catch (error) {
    if (error instanceof EngineError && error.code === 'schema-mismatch') return error.reported.message;
    throw error;
  }
  if (hasAllTables(database)) return '';
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name LIMIT 6").all();
  const names = tables.map(({ name }) => `'${String(name)}'`);
  return names.length === 0 ? 'there are no tables in it' : `its tables are ${names.join(', ')}`;
}

function newestPatch(reading: Reading): SDS_DatabaseDescription['NewestPatch'] {
  const row = firstRow(
    reading.database.prepare(
      'SELECT CAST(rowid AS REAL) AS row, CAST(store_id AS BLOB) AS id, CAST(clock AS REAL) AS clock, length(data) AS bytes ' +
        'FROM patches ORDER BY rowid DESC LIMIT 1',
    ),
  );
  if (row === undefined) return undefined;
  return { Row: Number(row.row), StoreId: textOf(reading, row.id), Clock: Number(row.clock), Bytes: Number(row.bytes) };
}

/** Store by store, found by leaps through the index; between two of them the caller may stop it. */
function storesOf(reading: Reading, progress: Progress): SDS_StoreDescription[] {
  const { database } = reading;
  const stores = new Map<string, SDS_StoreDescription>();
  const storeOf = (id: unknown): SDS_StoreDescription => {
    const StoreId = textOf(reading, id);
    const store = stores.get(StoreId) ?? {
      StoreId,
      SnapshotBytes: undefined,
      SnapshotClock: undefined,
      Patches: 0,
      PatchBytes: 0,
      FirstClock: undefined,
      LastClock: undefined,
    };
    stores.set(StoreId, store);
    return store;
  };
  // numbers as REAL: a file from elsewhere may hold some that JavaScript does not
  const snapshots =
    'SELECT CAST(store_id AS BLOB) AS id, CAST(clock AS REAL) AS clock, length(data) AS bytes FROM snapshots';
  for (const row of database.prepare(snapshots).all()) {
    const store = storeOf(row.id);
    store.SnapshotBytes = Number(row.bytes);
    store.SnapshotClock = Number(row.clock);
  }
  const rows = Number(firstRow(database.prepare('SELECT CAST(max(rowid) AS REAL) AS rows FROM patches'))?.rows ?? 0);
  const next = database.prepare(
    'SELECT CAST(min(store_id) AS BLOB) AS id FROM patches WHERE store_id > CAST(? AS TEXT)',
  );
  const count = database.prepare(
    'SELECT count(*) AS patches, total(length(data)) AS bytes, CAST(min(clock) AS REAL) AS first, ' +
      'CAST(max(clock) AS REAL) AS last FROM patches WHERE store_id = CAST(? AS TEXT)',
  );
  let id = firstRow(database.prepare('SELECT CAST(min(store_id) AS BLOB) AS id FROM patches'))?.id;
  for (let counted = 0; id instanceof Uint8Array; ) {
    const store = storeOf(id);
    // in a damaged index the next may be one that was there before
    if (store.Patches > 0) break;
    const row = firstRow(count, id);
    store.Patches = Number(row?.patches);
    store.PatchBytes = Number(row?.bytes);
    store.FirstClock = Number(row?.first);
    store.LastClock = Number(row?.last);
    if (store.Patches === 0) break;
    counted += store.Patches;
    progress.step('rows', counted, Math.max(rows, counted), 'rows');
    id = firstRow(next, id)?.id;
  }
  return [...stores.values()].sort((a, b) => (a.StoreId < b.StoreId ? -1 : 1));
}

function valuesOf({ database }: Reading): SDS_DatabaseDescription['Values'] {
  const row = firstRow(
    database.prepare('SELECT count(*) AS count, total(length(data)) AS bytes, total(ref_count) AS refs FROM blobs'),
  );
  return { Count: Number(row?.count ?? 0), Bytes: Number(row?.bytes ?? 0), References: Number(row?.refs ?? 0) };
}
