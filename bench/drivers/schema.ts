/** The tables of a database file, for the drivers that write it by themselves. */

export const schema = `
  CREATE TABLE IF NOT EXISTS snapshots (store_id TEXT PRIMARY KEY, data BLOB NOT NULL, clock INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS patches (store_id TEXT NOT NULL, clock INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (store_id, clock));
  CREATE TABLE IF NOT EXISTS blobs (hash TEXT PRIMARY KEY, data BLOB NOT NULL, ref_count INTEGER NOT NULL DEFAULT 0);
`;
/** What SQLite is set to where it is measured as a limit. */
export const withoutCheckpoints =
  'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0';

/** Inserts so many patches at once. */
export function insertPatches(rows: number): string {
  return `INSERT OR IGNORE INTO patches (store_id, clock, data) VALUES ${Array(rows).fill('(?, ?, ?)').join(', ')}`;
}
export const insertPatch = insertPatches(1);
export const insertSnapshot = 'INSERT OR REPLACE INTO snapshots (store_id, data, clock) VALUES (?, ?, 0)';
export const selectSnapshot = 'SELECT data FROM snapshots WHERE store_id = ?';
export const selectPatches = 'SELECT data FROM patches WHERE store_id = ? AND clock > ? ORDER BY clock';
