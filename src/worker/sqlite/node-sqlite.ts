/** `node:sqlite`, and the peculiarities of its versions and of SQLite's. */
import type { DatabaseSync as Database, SQLInputValue, StatementSync } from 'node:sqlite';
import { ifPossible } from '../../protocol/if-possible.ts';
import { isNodeBefore } from '../../protocol/node-version.ts';

/** `backup` came later than the rest: in Node 22.16 and 23.8. */
type Sqlite = Pick<typeof import('node:sqlite'), 'DatabaseSync'> &
  Partial<Pick<typeof import('node:sqlite'), 'backup'>>;

/** Without the warning that it is experimental: that is our business, not the program's. */
function load(): Sqlite {
  // this thread's own `process`: nothing of the program's is touched
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return require('node:sqlite') as Sqlite;
  } finally {
    process.emitWarning = emitWarning;
  }
}

const sqlite = load();
export const { backup } = sqlite;

const NO_BYTES = new Uint8Array(0);
const isEmpty = (value: unknown) => value instanceof Uint8Array && value.byteLength === 0;
const withEmptyBytes = (values: SQLInputValue[]): SQLInputValue[] =>
  values.some(isEmpty) ? values.map((value) => (isEmpty(value) ? NO_BYTES : value)) : values;

/** Node 22 binds empty bytes as NULL if they came out of a database: a name that is asked for again, a value that is copied. */
class WithEmptyBytes extends sqlite.DatabaseSync {
  override prepare(sql: string): StatementSync {
    const statement = super.prepare(sql);
    // the two that are used here
    const run: (...values: SQLInputValue[]) => unknown = statement.run.bind(statement);
    const all: (...values: SQLInputValue[]) => unknown = statement.all.bind(statement);
    return Object.assign(statement, {
      run: (...values: SQLInputValue[]) => run(...withEmptyBytes(values)),
      all: (...values: SQLInputValue[]) => all(...withEmptyBytes(values)),
    });
  }
}

const DatabaseSync = isNodeBefore(24, 0) ? WithEmptyBytes : sqlite.DatabaseSync;

/** Opens a database by its path or URL; nothing is read yet. */
export function open(filename: string, readOnly = false): Database {
  const database = new DatabaseSync(filename, {
    // since Node 22.12; older ones take a killed program's log into the file by reading it
    readOnly,
    enableForeignKeyConstraints: false,
    // the schema of a program's own tables may have them, and VACUUM compiles it; no statement of ours quotes with `"`
    enableDoubleQuotedStringLiterals: true,
    allowExtension: false,
    // SQL that comes with a file can't write to the schema or to shadow tables (Node 24 on)
    defensive: true,
  } as ConstructorParameters<typeof DatabaseSync>[1]);
  // functions and virtual tables that a stranger's schema calls must be harmless ones
  database.exec('PRAGMA trusted_schema = OFF');
  // damaged pages are noticed when they are read, not believed
  database.exec('PRAGMA cell_size_check = ON');
  // sorting and the like never needs files beside the database
  database.exec('PRAGMA temp_store = MEMORY');
  return database;
}

/** The first row of a result, if there is one: `get` of Node 22.5 returns a row of nulls for none. */
export function firstRow(statement: StatementSync, ...values: SQLInputValue[]): Record<string, unknown> | undefined {
  return statement.all(...values)[0] as Record<string, unknown> | undefined;
}

/** The first value of that row. */
export function firstValue(database: Database, sql: string): unknown {
  return Object.values(firstRow(database.prepare(sql)) ?? {})[0];
}

/**
 * Closes a database so that nothing is left beside its file. Node 22.5 does not finalize statements
 * when it closes a database, so SQLite keeps the connection until they are collected as garbage; with
 * a rollback journal that is only a file that is open, with a write-ahead log it is the log as well.
 */
export function closeDatabase(database: Database): void {
  try {
    if (keepsStatementsOpen()) database.prepare('PRAGMA journal_mode = DELETE').all();
  } finally {
    database.close();
  }
}

export const keepsStatementsOpen = once(() => {
  const database = new DatabaseSync(':memory:');
  const statement = database.prepare('SELECT 1');
  database.close();
  return ifPossible(() => statement.all()) !== undefined; // else finalized, as it should be
});

/** Whether this Node lets SQLite read names as URLs (since 22.15). */
export const knowsUrls = once(() => {
  // where it is no URL, it is the path of a file in a folder named `file:`, which is not there
  const database = ifPossible(() => new DatabaseSync('file:/no/such/folder/at/all?mode=memory'));
  database?.close();
  return database !== undefined;
});

function once(find: () => boolean): () => boolean {
  let found: boolean | undefined;
  return () => {
    found ??= find();
    return found;
  };
}

/** Whether several processes on one file can damage its write-ahead log: before these versions of SQLite. */
export const hasWalResetFault = once(() => {
  const database = new DatabaseSync(':memory:');
  const [, minor = 0, patch = 0] = String(firstValue(database, 'SELECT sqlite_version()')).split('.').map(Number);
  database.close();
  const mended: Record<number, number> = { 44: 6, 50: 7, 51: 3 };
  return minor < 52 && patch < (mended[minor] ?? Number.POSITIVE_INFINITY);
});
