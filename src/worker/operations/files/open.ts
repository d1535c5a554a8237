/** Opens databases by SQLite's URLs, which say more than a path, where this Node knows them. */
import type { DatabaseSync as Database } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { knowsUrls, open } from '../../sqlite/node-sqlite.ts';

/** Opens a file that is there; `parameters` as in https://sqlite.org/uri.html. */
export function openFile(path: string, parameters: string): Database {
  const place = knowsUrls() ? `${pathToFileURL(path).href}?${parameters}` : path;
  return open(place, parameters.startsWith('mode=ro'));
}
