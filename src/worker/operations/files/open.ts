/** Opens databases by SQLite's URLs, which say more than a path, where this Node knows them. */
import type { DatabaseSync as Database } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { DatabaseSync, knowsUrls } from '../../sqlite/node-sqlite.ts';

/** Opens a file that is there; `parameters` as in https://sqlite.org/uri.html. */
export function openFile(path: string, parameters: string): Database {
  // defensive: SQL that comes with a file can't write to the schema or to shadow tables (Node 24 on)
  return new DatabaseSync(knowsUrls() ? `${pathToFileURL(path).href}?${parameters}` : path, {
    // since Node 22.12; older ones take a killed program's log into the file by reading it
    readOnly: parameters.startsWith('mode=ro'),
    enableForeignKeyConstraints: false,
    enableDoubleQuotedStringLiterals: false,
    allowExtension: false,
    defensive: true,
  } as ConstructorParameters<typeof DatabaseSync>[1]);
}
