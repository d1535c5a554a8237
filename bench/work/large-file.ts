/** A file of many values, as operations on whole files find it. */
import { createHash, randomFillSync } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';

export function makeLargeFile(path: string, values: number, valueBytes: number): void {
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
    CREATE TABLE snapshots (store_id TEXT PRIMARY KEY, data BLOB NOT NULL, clock INTEGER NOT NULL);
    CREATE TABLE patches (store_id TEXT NOT NULL, clock INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (store_id, clock));
    CREATE TABLE blobs (hash TEXT PRIMARY KEY, data BLOB NOT NULL, ref_count INTEGER NOT NULL DEFAULT 0)`);
  const insert = database.prepare('INSERT INTO blobs VALUES (?, ?, 1)');
  const bytes = new Uint8Array(valueBytes);
  for (let i = 0; i < values; ) {
    database.exec('BEGIN');
    for (const end = Math.min(i + 5000, values); i < end; i++) {
      randomFillSync(bytes, 0, Math.min(valueBytes, 32));
      insert.run(createHash('sha256').update(bytes).digest('hex'), bytes);
    }
    database.exec('COMMIT; PRAGMA wal_checkpoint(TRUNCATE)');
  }
  database.close();
}
