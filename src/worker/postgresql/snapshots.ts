/** A store's snapshot: one row, or a head and chunk rows; and compactions, which put one in the place of what was seen of the store. */
import type { SeenStore } from '../../protocol/compaction.ts';
import { isLarge, writeChunks } from './chunks.ts';
import type { Connection, Statement } from './connection.ts';

export interface Snapshot {
  clock: number;
  data: Buffer;
}

/** Writes the chunks of a large snapshot, and returns what puts it in the place of the one before, whose chunks are to be deleted then. */
export async function snapshotHead(
  connection: Connection,
  store: string,
  { clock, data }: Snapshot,
): Promise<Statement> {
  const version = isLarge(data) ? await writeChunks(connection, 'sds_snapshots', store, data) : '';
  return {
    text:
      'INSERT INTO sds_snapshots (store_id, clock, version, size, data) VALUES ($1, $2, $3, $4, $5) ' +
      'ON CONFLICT (store_id) DO UPDATE SET clock = excluded.clock, version = excluded.version, size = excluded.size, data = excluded.data',
    values: [store, String(clock), version, String(data.byteLength), isLarge(data) ? null : data],
  };
}

export interface Compaction {
  store: string;
  /** Up to which number patches are deleted. */
  clock: number;
  snapshot: Snapshot;
  seen: SeenStore;
  /** By which its call is told apart from the others of its transaction. */
  at: number;
}

/**
 * Carries one out, within a transaction, if nothing else is there than what was seen. Other processes may write the store meanwhile:
 * so what is looked at is what was deleted, and locked. Returns false if there is: then nothing of it is left in the transaction.
 */
export async function compact(connection: Connection, { store, clock, snapshot, seen }: Compaction): Promise<boolean> {
  const [, deleted, head] = await connection.run(
    { text: 'SAVEPOINT before_compaction' },
    {
      text: 'DELETE FROM sds_patches WHERE store_id = $1 AND clock <= $2',
      values: [store, String(clock)],
    },
    { text: 'SELECT clock FROM sds_snapshots WHERE store_id = $1 FOR UPDATE', values: [store] },
  );
  const number = head?.rows[0]?.[0];
  if (deleted?.count === seen.patches && number === seen.snapshotClock?.toString()) {
    const { text, values = [] } = await snapshotHead(connection, store, snapshot);
    // where there was no snapshot there was nothing to lock: another process may have saved one at this moment
    const instead = `${text} WHERE sds_snapshots.clock = $${values.length + 1}`;
    const { count } = await connection.one({ text: instead, values: [...values, number ?? null] });
    if (count === 1) return true;
  }
  await connection.run({ text: 'ROLLBACK TO SAVEPOINT before_compaction' });
  return false;
}
