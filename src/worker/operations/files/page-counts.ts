/** How large a database is, by what its first page says: a damaged one may say anything. */
import type { DatabaseSync as Database } from 'node:sqlite';
import { firstValue } from '../../sqlite/node-sqlite.ts';
import { OperationError } from '../failure.ts';

/** `usedBytes` of the pages that have content. */
export function pageCounts(database: Database, path: string) {
  const pageBytes = numberOf(database, 'page_size');
  const pages = numberOf(database, 'page_count');
  const freePages = numberOf(database, 'freelist_count');
  // SQLite itself refuses a file that is shorter than it says, and believes the rest
  if (freePages >= 0 && freePages <= pages) {
    return { pageBytes, pages, freePages, usedBytes: (pages - freePages) * pageBytes };
  }
  const detail = `the file is damaged: by its first page ${freePages >>> 0} of its ${pages} pages are free; 'verify' says what else is, 'copy --salvage' saves what can be read`;
  throw new OperationError('database-corrupt', path, detail);
}

export function numberOf(database: Database, pragma: string): number {
  return Number(firstValue(database, `PRAGMA ${pragma}`));
}
