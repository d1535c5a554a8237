/** What the system says where SQLite says no more than that it can't open a file. */
import { accessSync } from 'node:fs';

/**
 * Why the system does not let this be accessed in a way, if so.
 *
 * @param way - as in `constants` of node:fs
 */
export function refusedAccess(path: string, way: number): NodeJS.ErrnoException | undefined {
  try {
    accessSync(path, way);
    return undefined;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
}
