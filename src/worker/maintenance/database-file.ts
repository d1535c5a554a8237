/** Reads a database file's bytes past SQLite, by the descriptor that SQLite itself has on it. */
import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';

export interface DatabaseFile {
  /** Reads up to `length` bytes into `buffer`; fewer only at the end of the file. */
  read(buffer: Uint8Array, length: number, position: number): number;
  size(): number;
  /** Throws if the descriptor is no longer the file's, so that what was read may be another's. */
  check(): void;
  close(): void;
}

/**
 * Opening the file once more and closing it would take away the locks that this process has on it, so where
 * locks belong to processes, SQLite's own descriptor is used: `pread` does not disturb it.
 *
 * @returns `undefined` if it can't be found
 */
export function databaseFile(path: string): DatabaseFile | undefined {
  const { dev, ino } = statSync(path);
  const isFile = (descriptor: number) => {
    try {
      const stats = fstatSync(descriptor);
      return stats.ino === ino && stats.dev === dev;
    } catch {
      return false; // not open any more: the descriptor by which the list was read
    }
  };
  const own = process.platform === 'win32' ? openSync(path, 'r') : undefined;
  const descriptor = own ?? openDescriptors().find(isFile);
  if (descriptor === undefined) return undefined;
  return {
    read(buffer, length, position) {
      let done = 0;
      while (done < length) {
        const count = readSync(descriptor, buffer, done, length - done, position + done);
        if (count === 0) break;
        done += count;
      }
      return done;
    },
    size: () => fstatSync(descriptor).size,
    check() {
      if (!isFile(descriptor)) throw new Error('the descriptor of the file was closed while it was read');
    },
    close() {
      if (own !== undefined) closeSync(own);
    },
  };
}

/** The newest first: this thread's connection was opened just now. */
function openDescriptors(): number[] {
  try {
    return readdirSync('/dev/fd')
      .map(Number)
      .sort((a, b) => b - a);
  } catch {
    return []; // this system does not list them
  }
}
