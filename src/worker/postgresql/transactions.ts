/** How transactions begin, and what becomes of them if something fails. */
import type { Connection, Reading, Result, Statement } from './connection.ts';

/** Set for one transaction alone: a pooler gives the next one to another connection. */
export interface Limits {
  /** For how long a lock is waited for, in milliseconds. */
  lockMs: number;
  /** For how long a process that is paused in the middle keeps its locks. */
  idleMs: number;
}

/**
 * Whatever the server's default, each statement sees what was committed before it, also behind a lock that it has waited for. In small
 * letters, so that the word COMMIT crosses as the statement alone.
 */
export const BEGIN: Statement = { text: 'BEGIN ISOLATION LEVEL read committed' };

function limitStatements({ lockMs, idleMs }: Limits): Statement[] {
  return [
    { text: `SET LOCAL lock_timeout = ${lockMs}` },
    { text: `SET LOCAL idle_in_transaction_session_timeout = ${idleMs}` },
  ];
}

export function beginStatements(limits: Limits): Statement[] {
  return [BEGIN, ...limitStatements(limits)];
}

const COMMIT: Statement = { text: 'COMMIT' };

export async function transact(connection: Connection, limits: Limits, ...statements: Statement[]): Promise<Result[]> {
  const begin = beginStatements(limits);
  const all = [...begin, ...statements, COMMIT];
  const results = await inTransaction(connection, () => connection.run(...all));
  return results.slice(begin.length, -1);
}

/** The same for what is read: each query is a transaction of its own, with limits, and takes one round trip. */
export function readingBy(connection: Connection, limits: Limits): Reading {
  return {
    one: async (text, ...values) => {
      const [result] = await transact(connection, limits, { text, values });
      return result ?? { rows: [], count: 0 };
    },
    read: (columns, from, take) =>
      inTransaction(connection, () => connection.read(columns, from, take, beginStatements(limits), [COMMIT])),
    escapeLiteral: (text) => connection.escapeLiteral(text),
  };
}

/** Reads as the database is at one moment, whatever is committed meanwhile: `first`, and what is asked for with its results. */
export function ofOneMoment<T>(
  connection: Connection,
  limits: Limits,
  first: readonly Statement[],
  read: (results: Result[]) => Promise<T>,
): Promise<T> {
  return inTransaction(connection, async () => {
    const begin = [{ text: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY' }, ...limitStatements(limits)];
    const results = await connection.run(...begin, ...first);
    const found = await read(results.slice(begin.length));
    await connection.run(COMMIT);
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
