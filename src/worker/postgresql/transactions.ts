/** How transactions begin, and what becomes of them if something fails. */
import type { Connection, Statement } from './connection.ts';

/** Set for one transaction alone: a pooler gives the next one to another connection. */
export interface Limits {
  /** For how long a lock is waited for, in milliseconds. */
  lockMs: number;
  /** For how long a process that is paused in the middle keeps its locks. */
  idleMs: number;
}

export function beginStatements({ lockMs, idleMs }: Limits): Statement[] {
  return [
    { text: 'BEGIN' },
    { text: `SET LOCAL lock_timeout = ${lockMs}` },
    { text: `SET LOCAL idle_in_transaction_session_timeout = ${idleMs}` },
  ];
}

/** Reads as the database is at one moment, whatever is committed meanwhile. */
export function ofOneMoment<T>(connection: Connection, { idleMs }: Limits, read: () => Promise<T>): Promise<T> {
  return inTransaction(connection, async () => {
    await connection.run(
      { text: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY' },
      { text: `SET LOCAL idle_in_transaction_session_timeout = ${idleMs}` },
    );
    const found = await read();
    await connection.run({ text: 'COMMIT' });
    return found;
  });
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
