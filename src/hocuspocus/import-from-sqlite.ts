/** Takes over the file of `@hocuspocus/extension-sqlite`. */
import { accessSync, constants } from 'node:fs';
import { resolve } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { SDS_PersistenceError } from '../main/index.ts';
import { isNodeBefore } from '../protocol/node-version.ts';
import { type ImportedDocument, type ImportOptions, type ImportResult, importDocuments } from './import-documents.ts';

/** It may be the database itself, which the worker is just opening; and a server may still write to it. */
const BUSY_MS = 5000;
/** Of SQLite, the low byte of its extended codes: another process has locked the file. */
const BUSY = 5;

/**
 * Stores the documents of a file that `@hocuspocus/extension-sqlite` has written, which is only read: as `importDocuments`
 * does, so it may be called again. The file is read on the calling thread, one document at a time. It takes Node 22.13 or later.
 *
 * @param path - of the file, with its table `documents`; it may be the database itself, in which that table stays
 * @throws SDS_PersistenceError `open-failed`, `schema-mismatch` if there is no such table, `database-busy` if another process has
 *   locked it for longer than 5 s, `io-error`; what a write fails with
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
    const names = database.prepare('SELECT name FROM documents ORDER BY rowid').all() as { name: string }[];
    const row = database.prepare('SELECT data FROM documents WHERE name = ?');
    for (const { name } of names) {
      const found = row.get(name) as { data: Uint8Array } | undefined;
      yield { name, data: found?.data };
    }
  } catch (error) {
    const { message, errcode = 0 } = error as Error & { errcode?: number };
    if ((errcode & 0xff) === BUSY) throw failed('database-busy', path, error as Error);
    const isOther = /no such (table|column)/.test(message);
    const code = isOther ? 'schema-mismatch' : message === 'file is not a database' ? 'open-failed' : 'io-error';
    throw failed(code, path, error as Error);
  } finally {
    database.close();
  }
}

function open(path: string): DatabaseSync {
  // before that it takes a flag, and 22.11 would not only read the file
  if (isNodeBefore(22, 13)) {
    const message = `importFromSqlite ('${path}'): Node ${process.versions.node} can not read it: run the import on Node 22.13 or later`;
    throw new SDS_PersistenceError('open-failed', message);
  }
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  try {
    const database = new DatabaseSync(path, { readOnly: true });
    database.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    return database;
  } catch (error) {
    throw failed('open-failed', path, reasonOf(error as Error, path));
  }
}

/** SQLite says no more than "unable to open"; the system says why, and where the path leads. */
function reasonOf(error: Error, path: string): Error {
  try {
    if (!path.startsWith('file:')) accessSync(resolve(path), constants.R_OK);
    return error;
  } catch (refusal) {
    return refusal as Error;
  }
}

function failed(code: 'open-failed' | 'schema-mismatch' | 'database-busy' | 'io-error', path: string, cause: Error) {
  const fault =
    code === 'database-busy'
      ? `another process has it locked (${cause.message}); import it once that has ended`
      : `this is no file of @hocuspocus/extension-sqlite that can be read (${cause.message}); check the path`;
  return new SDS_PersistenceError(code, `importFromSqlite ('${path}'): ${fault}`, { cause });
}
