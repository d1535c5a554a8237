/** Opens databases by SQLite's URLs, which say more than a path, where this Node knows them (since 22.15). */
import type { DatabaseSync as Database } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { DatabaseSync } from '../node-sqlite.ts';

let known: boolean | undefined;

export function knowsUrls(): boolean {
  known ??= tryUrl();
  return known;
}

/** Where it is no URL, it is the path of a file in a folder named `file:`, which is not there. */
function tryUrl(): boolean {
  try {
    new DatabaseSync('file:/no/such/folder/at/all?mode=memory').close();
    return true;
  } catch {
    return false; // it was no URL to it
  }
}

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
