/** Which database files a name on the command line stands for. */
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Session } from './session.ts';

const MAGIC = 'SQLite format 3\0';

/** The file itself, or the databases in a folder, sorted; what is there at all is found out by opening it. */
function filesAt(name: string, recursive = false): string[] {
  if (!isFolder(name)) return [name];
  return readdirSync(name, { recursive, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith('sds-partial-'))
    .map(({ parentPath, name: file }) => join(parentPath, file))
    .filter((path) => /\.(db|sqlite3?)$/i.test(path) || isDatabase(path))
    .sort();
}

export function isFolder(name: string): boolean {
  try {
    return statSync(name).isDirectory();
  } catch {
    return false; // not there, or out of reach: opening it will tell
  }
}

/** By its first bytes. Nothing in this process has a database open yet, whose locks this could take away. */
function isDatabase(path: string): boolean {
  try {
    const file = openSync(path, 'r');
    try {
      const start = Buffer.alloc(MAGIC.length);
      readSync(file, start, 0, start.length, 0);
      return start.toString('latin1') === MAGIC;
    } finally {
      closeSync(file);
    }
  } catch {
    return false; // it can't be read, and has no name of a database
  }
}

/** Of files and folders; there being none is a failure. */
export function filesOf(session: Session, names: readonly string[], recursive: boolean): string[] {
  const files = names.flatMap((name) => filesAt(name, recursive));
  if (files.length === 0) session.fail(names.join(' '), new Error('there is no database in this folder'));
  return files;
}
