/**
 * Replaces what was seen of a store by one snapshot, within a transaction, if nothing else is there. Other processes may write the
 * store meanwhile: so what is looked at is what was deleted, and locked.
 */
import type { SeenStore } from '../../protocol/compaction.ts';
import type { Connection } from './connection.ts';
import { type Snapshot, snapshotHead } from './snapshots.ts';

export interface Compaction {
  store: string;
  /** Up to which number patches are deleted. */
  clock: number;
  snapshot: Snapshot;
  seen: SeenStore;
  /** By which its call is told apart from the others of its transaction. */
  at: number;
}

/** Returns false if it was not carried out. Then nothing of it is left in the transaction, which goes on. */
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
  const snapshotClock = typeof number === 'string' ? Number(number) : undefined;
  const isAsSeen = deleted?.count === seen.patches && snapshotClock === seen.snapshotClock;
  if (isAsSeen) {
    const { text, values = [] } = await snapshotHead(connection, store, snapshot);
    // where there was no snapshot there was nothing to lock: another process may have saved one at this moment
    const instead = `${text} WHERE sds_snapshots.clock = $${values.length + 1}`;
    const { count } = await connection.one(instead, ...values, number ?? null);
    if (count === 1) return true;
  }
  await connection.run({ text: 'ROLLBACK TO SAVEPOINT before_compaction' });
  return false;
}
