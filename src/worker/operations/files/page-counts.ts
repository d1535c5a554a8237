/** How large a database is, by what its first page says: a damaged one may say anything. */
import type { DatabaseSync as Database } from 'node:sqlite';
import { firstRow } from '../../sqlite/node-sqlite.ts';
import { OperationError } from '../failure.ts';

export interface PageCounts {
  pageBytes: number;
  pages: number;
  freePages: number;
  /** Of the pages that have content. */
  usedBytes: number;
}

export function pageCounts(database: Database, path: string): PageCounts {
  const [pageBytes, pages, freePages] = [
    numberOf(database, 'page_size'),
    numberOf(database, 'page_count'),
    numberOf(database, 'freelist_count'),
  ];
  // SQLite itself refuses a file that is shorter than it says, and believes the rest
  if (freePages >= 0 && freePages <= pages)
    return { pageBytes, pages, freePages, usedBytes: (pages - freePages) * pageBytes };
  const detail = `the file is damaged: by its first page ${freePages >>> 0} of its ${pages} pages are free; 'verify' says what else is, 'copy --salvage' saves what can be read`;
  throw new OperationError('database-corrupt', path, detail);
}

export function numberOf(database: Database, pragma: string): number {
  return Number(Object.values(firstRow(database.prepare(`PRAGMA ${pragma}`)) ?? {})[0]);
}
