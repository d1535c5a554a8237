/** Where a provider can keep its stores: what suites and rigs that run on every kind of database ask for. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Rows, rowsOf } from './rows.ts';

export interface Engine {
  readonly name: string;
  /** Whether a place is a database file, with which the reference can go on. */
  readonly isFile: boolean;
  /** What is given to a provider for a database that is not there yet, or has nothing in it. */
  freshPlace(): Promise<string>;
  /** The same for one that can't be opened. */
  brokenPlace(): Promise<string>;
  /** All that lies there, read by another connection. */
  rowsOf(place: string): Promise<Rows>;
  /** Takes a place away that nobody has open. */
  discard(place: string): Promise<void>;
  /** Takes all places away. */
  end(): Promise<void>;
}

export function sqliteFiles(): Engine {
  const folder = mkdtempSync(join(tmpdir(), 'sds-'));
  let files = 0;
  return {
    name: 'SQLite',
    isFile: true,
    freshPlace: async () => join(folder, `store-${++files}.db`),
    brokenPlace: async () => join(folder, 'missing', 'store.db'),
    rowsOf: async (place) => rowsOf(place),
    discard: async (place) => {
      for (const end of ['', '-wal', '-shm']) rmSync(place + end, { force: true });
    },
    end: async () => rmSync(folder, { recursive: true, force: true }),
  };
}
