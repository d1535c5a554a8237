/** Transactions of several round trips: how they begin, and what becomes of them if something fails. */
import type { Connection, Statement } from './connection.ts';

/**
 * A process that is paused in the middle of one must not keep its locks for longer than its lease, and is not
 * waited for any longer either. Set for this transaction alone: a pooler gives the next one to another connection.
 */
export function begin(leaseMs: number): Statement[] {
  return [
    { text: 'BEGIN' },
    { text: `SET LOCAL lock_timeout = ${leaseMs}` },
    { text: `SET LOCAL idle_in_transaction_session_timeout = ${leaseMs}` },
  ];
}

/** Rolls back if the work fails, unless the connection is lost, which does the same. */
export async function inTransaction<T>(connection: Connection, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!connection.lost) {
      await connection.run({ text: 'ROLLBACK' }).catch(() => connection.drop()); // in doubt; the first failure counts
    }
    throw error;
  }
}
