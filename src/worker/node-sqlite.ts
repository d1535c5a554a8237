/** `node:sqlite`, and the peculiarities of its versions. */
import type { SQLInputValue, StatementSync } from 'node:sqlite';

/** Without the warning that it is experimental: that is our business, not the program's. */
function load(): typeof import('node:sqlite') {
  // this thread's own `process`: nothing of the program's is touched
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return require('node:sqlite') as typeof import('node:sqlite');
  } finally {
    process.emitWarning = emitWarning;
  }
}

export const { DatabaseSync } = load();

/** The first row of a result, if there is one: `get` of Node 22.5 returns a row of nulls for none. */
export function firstRow(statement: StatementSync, ...values: SQLInputValue[]): Record<string, unknown> | undefined {
  return statement.all(...values)[0] as Record<string, unknown> | undefined;
}
