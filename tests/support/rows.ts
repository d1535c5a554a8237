/** What lies in a database, in one form whatever keeps it; of an SQLite file, read by a connection of its own. */
import { DatabaseSync } from 'node:sqlite';

export interface Rows {
  snapshots: Record<string, unknown>[];
  patches: Record<string, unknown>[];
  blobs: Record<string, unknown>[];
  /** Of each store in the order in which they were made; none where there is no table of records. */
  records: Record<string, unknown>[];
}

/** All rows of a file, in a form that `toEqual` compares. */
export function rowsOf(dbPath: string): Rows {
  // not read-only: such a connection would leave a -wal and -shm behind
  const database = new DatabaseSync(dbPath);
  try {
    // a worker that has taken the place of a lost one reads the log first, and lets nobody in meanwhile
    database.exec('PRAGMA busy_timeout = 30000');
    const read = (sql: string) =>
      database
        .prepare(sql)
        .all()
        .map((row) => ({ ...row, data: Buffer.from(row.data as Uint8Array).toString('hex') }));
    const hasRecords = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'sds_records'").all().length > 0;
    return {
      snapshots: read('SELECT store_id, clock, data FROM snapshots ORDER BY store_id'),
      patches: read('SELECT store_id, clock, data FROM patches ORDER BY store_id, clock'),
      blobs: read('SELECT hash, ref_count, data FROM blobs ORDER BY hash'),
      records: hasRecords ? read('SELECT store_id, key, data FROM sds_records ORDER BY store_id, rowid') : [],
    };
  } finally {
    database.close();
  }
}

/** Every row as a line, sorted. */
export function linesOf({ snapshots, patches, blobs, records }: Rows): string[] {
  return [
    ...snapshots.map(({ store_id, clock, data }) => `snapshot ${store_id} ${clock} ${data}`),
    ...patches.map(({ store_id, clock, data }) => `patch ${store_id} ${clock} ${data}`),
    ...blobs.map(({ hash, ref_count, data }) => `value ${hash} ${ref_count} ${data}`),
    ...records.map(({ store_id, key, data }, i) => {
      const place = i - records.findIndex((other) => other.store_id === store_id);
      return `record ${store_id} ${place} ${key} ${data}`;
    }),
  ].sort();
}
