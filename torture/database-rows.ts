/** What lies in a database file, read by a connection of its own. */
import { DatabaseSync } from 'node:sqlite';
import { linesOf, rowsOf } from '../tests/support/rows.ts';

/** Every row as a line, sorted. */
export function rowsIn(dbPath: string): string[] {
  return linesOf(rowsOf(dbPath));
}

/** What SQLite finds wrong with a file; 'ok' if nothing. */
export function integrityOf(dbPath: string): string {
  return reading(dbPath, (database) => Object.values(database.prepare('PRAGMA integrity_check').get() ?? {}).join());
}

export function reading<T>(dbPath: string, read: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(dbPath);
  try {
    database.exec('PRAGMA busy_timeout = 5000');
    return read(database);
  } finally {
    database.close();
  }
}

/** The first difference of two lists, in words; `undefined` if there is none. */
export function differenceOf(found: readonly string[], wanted: readonly string[]): string | undefined {
  const short = (line: string | undefined) => (line === undefined ? 'nothing' : line.slice(0, 90));
  for (let i = 0; i < Math.max(found.length, wanted.length); i++) {
    if (found[i] !== wanted[i]) return `found ${short(found[i])}, not ${short(wanted[i])}`;
  }
  return undefined;
}
