/** The plain synchronous provider with what this package adds to it, done as plainly: the model that tests compare with. */
import type {
  SDS_DesktopPersistenceProvider,
  SDS_PersistenceProvider,
  SDS_Record,
  SDS_StoreContents,
} from 'sds-persistence-worker';
import { ReferenceProvider } from './reference-provider.ts';

type Added =
  | 'loadStore'
  | 'compactStore'
  | 'removeStore'
  | 'listStores'
  | 'saveRecord'
  | 'loadRecord'
  | 'loadRecords'
  | 'removeRecord'
  | 'removeRecords';

/** What this provider and its model have in common. */
export type ExtendedProvider = SDS_PersistenceProvider & Pick<SDS_DesktopPersistenceProvider, Added>;
/** What a compaction is told of the store. */
export type Seen = Parameters<ExtendedProvider['compactStore']>[1];

/** Each call is done when it returns: calls that nobody awaits keep their order. */
export class ExtendedReference extends ReferenceProvider implements ExtendedProvider {
  async loadStore(): Promise<SDS_StoreContents> {
    const [snapshot] = this.#all('SELECT data, clock FROM snapshots WHERE store_id = ?');
    const patches = this.#all('SELECT data, clock FROM patches WHERE store_id = ? ORDER BY clock');
    const clocks = [...(snapshot === undefined ? [] : [snapshot]), ...patches].map(({ clock }) => clock as number);
    return {
      Snapshot: snapshot?.data as Uint8Array | undefined,
      SnapshotClock: snapshot?.clock as number | undefined,
      Patches: patches.map(({ data }) => data as Uint8Array),
      LastClock: clocks.length === 0 ? 0 : Math.max(...clocks),
    };
  }

  async compactStore(data: Uint8Array, { SnapshotClock, Patches, LastClock }: Seen): Promise<boolean> {
    const [snapshot] = this.#all('SELECT clock FROM snapshots WHERE store_id = ?');
    const covered = this.#all('SELECT 1 FROM patches WHERE store_id = ? AND clock <= ?', LastClock);
    if (snapshot?.clock !== SnapshotClock || covered.length !== Patches.length) return false;
    // the number of a snapshot does not come twice, and does not fall
    const least = SnapshotClock === undefined ? LastClock : SnapshotClock + Math.min(covered.length, 1);
    void this.saveSnapshot(data, Math.min(Math.max(LastClock, least), Number.MAX_SAFE_INTEGER));
    this.#all('DELETE FROM patches WHERE store_id = ? AND clock <= ?', LastClock);
    return true;
  }

  async removeStore(): Promise<void> {
    const tables = ['snapshots', 'patches', ...(this.#hasRecords ? ['sds_records'] : [])];
    for (const table of tables) this.#all(`DELETE FROM ${table} WHERE store_id = ?`);
  }

  async listStores(): Promise<string[]> {
    const tables = ['snapshots', 'patches', ...(this.#hasRecords ? ['sds_records'] : [])];
    const names = tables.flatMap((table) => this.database.prepare(`SELECT store_id FROM ${table}`).all());
    const stores = new Set(names.map(({ store_id }) => String(store_id)));
    return [...stores].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  async saveRecord(key: string, data: Uint8Array): Promise<void> {
    this.database.exec(
      'CREATE TABLE IF NOT EXISTS sds_records (store_id TEXT NOT NULL, key TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (store_id, key))',
    );
    this.database
      .prepare(
        'INSERT INTO sds_records (store_id, key, data) VALUES (?, ?, ?) ON CONFLICT (store_id, key) DO UPDATE SET data = excluded.data',
      )
      .run(this.storeId, key, data);
  }

  async loadRecord(key: string): Promise<Uint8Array | undefined> {
    return this.#records(key).find(({ Key }) => Key === key.toWellFormed())?.Data;
  }

  async loadRecords(prefix = ''): Promise<SDS_Record[]> {
    return this.#records(prefix);
  }

  async removeRecord(key: string): Promise<void> {
    if (this.#hasRecords) this.#all('DELETE FROM sds_records WHERE store_id = ? AND key = ?', key);
  }

  async removeRecords(prefix: string): Promise<void> {
    for (const { Key } of this.#records(prefix)) void this.removeRecord(Key);
  }

  #records(prefix: string): SDS_Record[] {
    if (!this.#hasRecords) return [];
    return this.#all('SELECT key, data FROM sds_records WHERE store_id = ? ORDER BY rowid')
      .map(({ key, data }) => ({ Key: key as string, Data: data as Uint8Array }))
      .filter(({ Key }) => Key.startsWith(prefix.toWellFormed()));
  }

  get #hasRecords(): boolean {
    return this.database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'sds_records'").all().length > 0;
  }

  /** Of this store, whose name is the first parameter. */
  #all(sql: string, ...others: (string | number)[]): Record<string, unknown>[] {
    return this.database.prepare(sql).all(this.storeId, ...others);
  }
}
