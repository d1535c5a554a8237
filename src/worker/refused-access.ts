/** What the system says where SQLite says no more than that it can't open a file. */
import { accessSync, closeSync, constants, openSync } from 'node:fs';

/**
 * Why the system does not let this be accessed in a way, if so.
 *
 * @param way - as in `constants` of node:fs
 */
export function refusedAccess(path: string, way: number): NodeJS.ErrnoException | undefined {
  try {
    accessSync(path, way);
    // Windows tells only to who opens it that another program shares it with nobody; to close it costs no lock there
    if (process.platform === 'win32' && way === constants.R_OK) closeSync(openSync(path, 'r'));
    return undefined;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
}
