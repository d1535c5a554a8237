/** Fresh folders for tests, and what lies in a database file. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Engine } from './engine.ts';
import { rowsOf } from './rows.ts';

export { rowsOf };

/**
 * A folder of this test's own, removed when the test has ended.
 *
 * @param finished - of the context of a test that runs beside others of its file
 */
export function freshFolder(finished = onTestFinished): string {
  const folder = mkdtempSync(join(tmpdir(), 'sds-'));
  finished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The path of a database file that is not there yet. */
export function freshFile(finished = onTestFinished): string {
  return join(freshFolder(finished), 'store.db');
}

/** Database files as places for stores, each gone when its test has ended. */
export const sqlite: Engine = {
  name: 'SQLite',
  isFile: true,
  freshPlace: async () => freshFile(),
  brokenPlace: async () => join(freshFolder(), 'missing', 'store.db'),
  rowsOf: async (place) => rowsOf(place),
  discard: async () => undefined,
  end: async () => undefined,
};

export function filesBeside(dbPath: string): string[] {
  return readdirSync(join(dbPath, '..')).sort();
}

/** A patch that can be told from every other. */
export function patchOf(text: string | number): Uint8Array {
  return new TextEncoder().encode(`patch ${text}`);
}
