/** Tells what is in a file. */
import { statSync } from 'node:fs';
import type { Operations } from '../../../protocol/operation-messages.ts';
import type { SDS_DatabaseDescription, SDS_StoreDescription } from '../../../protocol/operations.ts';
import { firstRow, firstValue } from '../../sqlite/node-sqlite.ts';
import { hasRecords, mismatchOf, missingOf } from '../../sqlite/schema.ts';
import { encodingOf, textOf } from '../../sqlite/text.ts';
import type { Progress } from '../progress.ts';
import { eachStore, NAMED, type Row } from './each-store.ts';
import { type Reading, withReading } from './open-to-read.ts';
import { pageCounts } from './page-counts.ts';

export async function describe(
  { path, quick }: Operations['describe']['given'],
  progress: Progress,
): Promise<SDS_DatabaseDescription> {
  return withReading(path, (reading) => {
    const { database } = reading;
    const log = statSync(`${path}-wal`, { throwIfNoEntry: false });
    const index = statSync(`${path}-shm`, { throwIfNoEntry: false });
    const Schema = mismatchOf(database) ?? missingOf(database) ?? '';
    const IsStoreFile = Schema === '';
    const file = statSync(path);
    const counts = pageCounts(database, path);
    const Stores = IsStoreFile && !quick ? storesOf(reading, progress) : undefined;
    return {
      Path: path,
      Bytes: file.size,
      LogBytes: log?.size ?? 0,
      IndexBytes: index?.size ?? 0,
      // who opens the file makes an empty log
      ModifiedAt: new Date(Math.max(file.mtimeMs, log?.size ? log.mtimeMs : 0)).toISOString(),
      PageBytes: counts.pageBytes,
      Pages: counts.pages,
      FreePages: counts.freePages,
      Encoding: encodingOf(database),
      IsStoreFile,
      Schema,
      NewestPatch: IsStoreFile ? newestPatch(reading) : undefined,
      Stores,
      Values: IsStoreFile && !quick ? valuesOf(reading) : undefined,
      Records: Stores && { Count: sum(Stores, 'Records'), Bytes: sum(Stores, 'RecordBytes') },
    };
  });
}

function sum(stores: readonly SDS_StoreDescription[], name: 'Records' | 'RecordBytes'): number {
  return stores.reduce((all, store) => all + store[name], 0);
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

function storesOf(reading: Reading, progress: Progress): SDS_StoreDescription[] {
  const { database } = reading;
  const stores = new Map<string, SDS_StoreDescription>();
  const add = ({ id, key }: Row, found: Partial<SDS_StoreDescription>) => {
    const store = stores.get(String(key)) ?? {
      StoreId: textOf(reading, id),
      SnapshotBytes: undefined,
      SnapshotClock: undefined,
      Patches: 0,
      PatchBytes: 0,
      FirstClock: undefined,
      LastClock: undefined,
      Records: 0,
      RecordBytes: 0,
    };
    stores.set(String(key), Object.assign(store, found));
  };
  // numbers as REAL: a file from elsewhere may hold some that JavaScript does not
  const snapshots = `SELECT ${NAMED}, CAST(clock AS REAL) AS clock, length(data) AS bytes FROM snapshots`;
  for (const row of database.prepare(snapshots).all()) {
    add(row, { SnapshotBytes: Number(row.bytes), SnapshotClock: Number(row.clock) });
  }
  const counted = (table: string, columns = '') => {
    const rows = Number(firstValue(database, `SELECT CAST(max(rowid) AS REAL) FROM ${table}`));
    return eachStore(reading, table, `total(length(data)) AS bytes${columns}`, rows, progress);
  };
  const clocks = ', CAST(min(clock) AS REAL) AS first, CAST(max(clock) AS REAL) AS last';
  for (const [row] of counted('patches', clocks)) {
    const [FirstClock, LastClock] = [Number(row.first), Number(row.last)];
    add(row, { Patches: Number(row.rows), PatchBytes: Number(row.bytes), FirstClock, LastClock });
  }
  for (const [row] of hasRecords(database) ? counted('sds_records') : []) {
    add(row, { Records: Number(row.rows), RecordBytes: Number(row.bytes) });
  }
  return [...stores.values()].sort((a, b) => (a.StoreId < b.StoreId ? -1 : 1));
}

function valuesOf({ database }: Reading): SDS_DatabaseDescription['Values'] {
  const row = firstRow(
    database.prepare('SELECT count(*) AS count, total(length(data)) AS bytes, total(ref_count) AS refs FROM blobs'),
  );
  return { Count: Number(row?.count ?? 0), Bytes: Number(row?.bytes ?? 0), References: Number(row?.refs ?? 0) };
}
