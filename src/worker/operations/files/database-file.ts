/** Reads a database file's bytes past SQLite, by the descriptor that SQLite itself has on it. */
import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';

export interface DatabaseFile {
  /** Reads up to `length` bytes into `buffer`; fewer only at the end of the file. */
  read(buffer: Uint8Array, length: number, position: number): number;
  size(): number;
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
  let descriptor = own ?? openDescriptors().find(isFile);
  if (descriptor === undefined) return undefined;
  /** The one that was found may be another thread's, which closes it; another file may then have its number. */
  const use = <T>(work: (descriptor: number) => T): T => {
    for (;;) {
      const used = descriptor;
      if (used === undefined) throw new Error('the descriptor of the file is not open any more');
      try {
        const result = work(used);
        if (isFile(used)) return result;
      } catch (error) {
        if (isFile(used)) throw error;
      }
      descriptor = openDescriptors().find(isFile);
    }
  };
  return {
    read: (buffer, length, position) =>
      use((used) => {
        let done = 0;
        while (done < length) {
          const count = readSync(used, buffer, done, length - done, position + done);
          if (count === 0) break;
          done += count;
        }
        return done;
      }),
    size: () => use((used) => fstatSync(used).size),
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
