/** What lies in a database file, read by a connection of its own. */
import { DatabaseSync } from 'node:sqlite';
import { hexOf } from './model.ts';

const queries: readonly [string, string][] = [
  ['snapshot', 'SELECT store_id AS a, clock AS b, data FROM snapshots'],
  ['patch', 'SELECT store_id AS a, clock AS b, data FROM patches'],
  ['value', 'SELECT hash AS a, ref_count AS b, data FROM blobs'],
];

/** Every row as a line, sorted. */
export function rowsIn(dbPath: string): string[] {
  return reading(dbPath, (database) =>
    queries
      .flatMap(([name, sql]) =>
        database
          .prepare(sql)
          .all()
          .map(({ a, b, data }) => `${name} ${String(a)} ${String(b)} ${hexOf(data as Uint8Array)}`),
      )
      .sort(),
  );
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
