/** How transactions begin, and what becomes of them if something fails. */
import type { Connection, Reading, Result, Statement } from './connection.ts';

/**
 * Whatever the server's default, each statement sees what was committed before it, also behind a lock that it has waited for. In small
 * letters, so that the word COMMIT crosses as the statement alone.
 */
export const BEGIN: Statement = { text: 'BEGIN ISOLATION LEVEL read committed' };

/** What is read is as the database is at one moment, whatever is committed meanwhile. */
export const BEGIN_READING: Statement = { text: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY' };

/** 0 would wait for ever. */
const LEAST_LOCK_MS = 1;

/** What policies hide is an error, not missing. */
export const ALL_ROWS: Statement = { text: 'SET LOCAL row_security = off' };

/** Leaves any other value as it is: with each the server waits for its disk. It has no rows, so that it may cross with what is read. */
const FULL: Statement = {
  text:
    "SELECT WHERE CASE WHEN current_setting('synchronous_commit') = 'off' " +
    "THEN set_config('synchronous_commit', 'on', true) IS NULL END",
};

/** Set for one transaction alone: a pooler gives the next one to another connection, and an operator may change it at any time. */
export function settings({ patience }: Connection, leastLockMs = LEAST_LOCK_MS): Statement[] {
  return [
    { text: `SET LOCAL lock_timeout = ${Math.max(Math.ceil(patience.lockMs), leastLockMs)}` },
    { text: `SET LOCAL idle_in_transaction_session_timeout = ${patience.idleMs}` },
    ALL_ROWS,
    ...(patience.full ? [FULL] : []),
  ];
}

export function beginStatements(connection: Connection, leastLockMs?: number): Statement[] {
  return [BEGIN, ...settings(connection, leastLockMs)];
}

export const COMMIT: Statement = { text: 'COMMIT' };

/**
 * For what takes the longer the more there is in a store: a limit on statements or (from PostgreSQL 17 on) transactions would end it each
 * time anew. It has no rows either.
 */
export const UNLIMITED: Statement = {
  text:
    "SELECT FROM unnest('{statement_timeout,transaction_timeout}'::text[]) AS u (name) " +
    "WHERE CASE WHEN current_setting(name, true) <> '0' THEN set_config(name, '0', true) IS NULL END",
};

/** @param leastLockMs - locks are waited for at least so long, whatever callers want */
export async function transact(
  connection: Connection,
  statements: readonly Statement[],
  leastLockMs?: number,
): Promise<Result[]> {
  const begin = beginStatements(connection, leastLockMs);
  const all = [...begin, ...statements, COMMIT];
  const results = await inTransaction(connection, () => connection.run(...all));
  return results.slice(begin.length, -1);
}

/** The same for what is read: each query is a transaction of its own, with limits, and takes one round trip. */
export function readingBy(connection: Connection): Reading {
  return {
    one: async (statement) => {
      const [, result] = await transact(connection, [UNLIMITED, statement]);
      return result ?? { rows: [], count: 0 };
    },
    read: (columns, from, take) =>
      inTransaction(connection, () =>
        connection.read(columns, from, take, [...beginStatements(connection), UNLIMITED], [COMMIT]),
      ),
    escapeLiteral: (text) => connection.escapeLiteral(text),
  };
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
