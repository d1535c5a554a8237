/** Fresh folders for tests, and what lies in a database file, read by another connection. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { onTestFinished } from 'vitest';

/** A folder of this test's own, removed when the test has ended. */
export function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sds-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The path of a database file that is not there yet. */
export function freshFile(): string {
  return join(freshFolder(), 'store.db');
}

export function filesBeside(dbPath: string): string[] {
  return readdirSync(join(dbPath, '..')).sort();
}

export interface Rows {
  snapshots: Record<string, unknown>[];
  patches: Record<string, unknown>[];
  blobs: Record<string, unknown>[];
}

/** All rows of a file, in a form that `toEqual` compares. */
export function rowsOf(dbPath: string): Rows {
  // not read-only: such a connection would leave a -wal and -shm behind
  const database = new DatabaseSync(dbPath);
  try {
    const read = (sql: string) =>
      database
        .prepare(sql)
        .all()
        .map((row) => ({ ...row, data: Buffer.from(row.data as Uint8Array).toString('hex') }));
    return {
      snapshots: read('SELECT store_id, clock, data FROM snapshots ORDER BY store_id'),
      patches: read('SELECT store_id, clock, data FROM patches ORDER BY store_id, clock'),
      blobs: read('SELECT hash, ref_count, data FROM blobs ORDER BY hash'),
    };
  } finally {
    database.close();
  }
}

/** A patch that can be told from every other. */
export function patchOf(text: string | number): Uint8Array {
  return new TextEncoder().encode(`patch ${text}`);
}
