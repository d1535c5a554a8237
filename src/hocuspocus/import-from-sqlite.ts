/** Takes over the file of `@hocuspocus/extension-sqlite`. */
import type { DatabaseSync } from 'node:sqlite';
import { SDS_PersistenceError } from '../main/index.ts';
import type { Promise } from '../protocol/surroundings.ts';
import { type ImportedDocument, type ImportOptions, type ImportResult, importDocuments } from './import-documents.ts';

/**
 * Stores the documents of a file that `@hocuspocus/extension-sqlite` has written, which is only read: as `importDocuments`
 * does, so it may be called again. The file is read on the calling thread, one document at a time.
 *
 * @param path - of the file, with its table `documents`
 * @throws SDS_PersistenceError `open-failed`, `schema-mismatch` if there is no such table, `io-error`; what a write fails with
 *
 * @example
 * const persistence = new HocuspocusPersistence({ database: './documents.db' })
 * await importFromSqlite(persistence, './db.sqlite')
 */
export function importFromSqlite(
  persistence: Parameters<typeof importDocuments>[0],
  path: string,
  options: ImportOptions = {},
): Promise<ImportResult> {
  return importDocuments(persistence, rowsOf(path), options);
}

async function* rowsOf(path: string): AsyncGenerator<ImportedDocument> {
  const database = open(path);
  try {
    const names = read(path, () => database.prepare('SELECT name FROM documents ORDER BY rowid').all()) as {
      name: string;
    }[];
    const row = read(path, () => database.prepare('SELECT data FROM documents WHERE name = ?'));
    for (const { name } of names) {
      const found = read(path, () => row.get(name)) as { data: Uint8Array } | undefined;
      yield { name, data: found?.data };
    }
  } finally {
    database.close();
  }
}

function open(path: string): DatabaseSync {
  // Node has it without a flag since 22.13
  const sqlite = process.getBuiltinModule('node:sqlite') as typeof import('node:sqlite') | undefined;
  if (sqlite === undefined) throw failed('open-failed', path, 'reading it takes Node 22.13, or --experimental-sqlite');
  try {
    return new sqlite.DatabaseSync(path, { readOnly: true });
  } catch (error) {
    throw failed('open-failed', path, (error as Error).message, error);
  }
}

function read<T>(path: string, ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    const { message } = error as Error;
    const isOther = /no such (table|column)/.test(message);
    throw failed(isOther ? 'schema-mismatch' : 'io-error', path, message, error);
  }
}

function failed(code: 'open-failed' | 'schema-mismatch' | 'io-error', path: string, reason: string, cause?: unknown) {
  const message = `importFromSqlite ('${path}'): this is no file of @hocuspocus/extension-sqlite that can be read (${reason})`;
  return new SDS_PersistenceError(code, message, cause === undefined ? undefined : { cause });
}
