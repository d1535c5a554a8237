/**
 * The plain synchronous provider, as the one that this package replaces: `node:sqlite` on the
 * calling thread, one statement prepared and committed a call. Tests compare with it; it also is the
 * other side of the demo and of the benchmark.
 */
import { DatabaseSync } from 'node:sqlite';
import type { SDS_PersistenceProvider } from 'sds-persistence-worker';

const schema = `
  CREATE TABLE IF NOT EXISTS snapshots (store_id TEXT PRIMARY KEY, data BLOB NOT NULL, clock INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS patches (store_id TEXT NOT NULL, clock INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (store_id, clock));
  CREATE TABLE IF NOT EXISTS blobs (hash TEXT PRIMARY KEY, data BLOB NOT NULL, ref_count INTEGER NOT NULL DEFAULT 0);
`;

export class ReferenceProvider implements SDS_PersistenceProvider {
  protected readonly database: DatabaseSync;
  protected readonly storeId: string;
  #closed = false;

  constructor(dbPath: string, storeId: string) {
    this.database = new DatabaseSync(dbPath);
    this.database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000');
    this.database.exec(schema);
    this.storeId = storeId;
  }

  async loadSnapshot(): Promise<Uint8Array | undefined> {
    return this.#first('SELECT data FROM snapshots WHERE store_id = ?', this.storeId);
  }

  async saveSnapshot(data: Uint8Array, clock = 0): Promise<void> {
    this.database
      .prepare('INSERT OR REPLACE INTO snapshots (store_id, data, clock) VALUES (?, ?, ?)')
      .run(this.storeId, data, clock);
  }

  async loadPatchesSince(clock: number): Promise<Uint8Array[]> {
    return this.database
      .prepare('SELECT data FROM patches WHERE store_id = ? AND clock > ? ORDER BY clock')
      .all(this.storeId, clock)
      .map(({ data }) => data as Uint8Array);
  }

  async appendPatch(patch: Uint8Array, clock: number): Promise<void> {
    this.database
      .prepare('INSERT OR IGNORE INTO patches (store_id, clock, data) VALUES (?, ?, ?)')
      .run(this.storeId, clock, patch);
  }

  async prunePatches(beforeClock: number): Promise<void> {
    this.database.prepare('DELETE FROM patches WHERE store_id = ? AND clock < ?').run(this.storeId, beforeClock);
  }

  async loadValue(hash: string): Promise<Uint8Array | undefined> {
    return this.#first('SELECT data FROM blobs WHERE hash = ?', hash);
  }

  async saveValue(hash: string, data: Uint8Array): Promise<void> {
    this.database
      .prepare(
        'INSERT INTO blobs (hash, data, ref_count) VALUES (?, ?, 1) ON CONFLICT (hash) DO UPDATE SET ref_count = ref_count + 1',
      )
      .run(hash, data);
  }

  async releaseValue(hash: string): Promise<void> {
    this.database.prepare('UPDATE blobs SET ref_count = ref_count - 1 WHERE hash = ?').run(hash);
    this.database.prepare('DELETE FROM blobs WHERE hash = ? AND ref_count <= 0').run(hash);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.database.close();
  }

  #first(sql: string, key: string): Uint8Array | undefined {
    return this.database.prepare(sql).all(key)[0]?.data as Uint8Array | undefined;
  }
}
