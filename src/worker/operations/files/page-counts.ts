/** How large a database is, by what its first page says: a damaged one may say anything. */
import { statSync } from 'node:fs';
import type { DatabaseSync as Database } from 'node:sqlite';
import { firstValue } from '../../sqlite/node-sqlite.ts';
import { OperationError } from '../failure.ts';
import { holdsBytes } from './open-to-read.ts';

/** `usedBytes` of the pages that have content. */
export function pageCounts(database: Database, path: string) {
  const pageBytes = pragmaOf(database, 'page_size');
  const pages = pragmaOf(database, 'page_count');
  const freePages = pragmaOf(database, 'freelist_count');
  // SQLite itself refuses a file that has fewer pages than it says, and believes the rest
  if (freePages >= 0 && freePages <= pages) {
    return { pageBytes, pages, freePages, usedBytes: (pages - freePages) * pageBytes };
  }
  const detail = `the file is damaged: by its first page ${freePages >>> 0} of its ${pages} pages are free; 'verify' says what else is, 'copy --salvage' saves what can be read`;
  throw new OperationError('database-corrupt', path, detail);
}

/** SQLite reads a part of a page at the end of a file as a page, and zeros where the rest of it was. */
export function requireWhole(database: Database, path: string): void {
  const missing = missingBytes(database, path);
  if (missing === 0) return;
  const detail = `${cutBy(missing)}; restore a backup, or save what can be read with 'copy --salvage'`;
  throw new OperationError('database-corrupt', path, detail);
}

export function cutBy(bytes: number): string {
  return `the file is cut short: of its last page, ${bytes.toLocaleString('en')} bytes are missing`;
}

/** At the end of a file, within an open transaction; what lies in a log need not be in the file yet. */
export function missingBytes(database: Database, path: string): number {
  if (holdsBytes(`${path}-wal`)) return 0;
  return Math.max(0, pragmaOf(database, 'page_count') * pragmaOf(database, 'page_size') - statSync(path).size);
}

export function pragmaOf(database: Database, pragma: string): number {
  return Number(firstValue(database, `PRAGMA ${pragma}`));
}
