/** Makes a copy of a database under another name: a backup, or a restored one. */
import { closeSync, openSync, statSync } from 'node:fs';
import type { SDS_BackupResult } from '../../../protocol/operations.ts';
import { performance } from '../../../protocol/surroundings.ts';
import { firstRow } from '../../sqlite/node-sqlite.ts';
import { OperationError } from '../failure.ts';
import type { Progress } from '../progress.ts';
import { currentThread } from '../step-back.ts';
import { copyPages } from './copy-pages.ts';
import { type Look, locate, withLook } from './open-to-read.ts';
import { numberOf } from './page-counts.ts';
import { PartialFile } from './partial-file.ts';
import { placeFor, putInPlace, refuseSame, refuseTaken } from './replace-file.ts';
import { requireStoreFile } from './store-file.ts';

export interface BackupTask {
  source: string;
  target: string;
  pagesPerStep: number;
  overwrite: boolean;
  /** Whether SQLite looks through the source first. */
  verify: boolean;
}

export function backup(task: BackupTask, progress: Progress): SDS_BackupResult {
  const begun = performance.now();
  const stats = locate(task.source);
  const target = placeFor(task.target);
  refuseSame(stats, target);
  refuseTaken(target, task.overwrite);
  return withLook({ path: task.source, progress }, (look) => {
    requireStoreFile(look.database, look.path);
    if (task.verify) requireSound(look, progress);
    const bytes = numberOf(look.database, 'page_size') * numberOf(look.database, 'page_count');
    const partial = new PartialFile(target.path, stats.mode);
    try {
      partial.needs(bytes);
      const pages = partial.fill(bytes, () => copyInto(look, partial.path, task.pagesPerStep, progress));
      progress.step('copy', bytes, bytes, 'bytes');
      progress.lastChance();
      partial.fill(bytes, () => putInPlace(partial, target.existing, task.overwrite));
      return {
        Path: target.path,
        Bytes: statSync(target.path).size,
        Pages: pages,
        Milliseconds: performance.now() - begun,
      };
    } finally {
      partial.remove();
    }
  });
}

function copyInto(look: Look, path: string, pagesPerStep: number, progress: Progress): number {
  const file = openSync(path, 'r+');
  try {
    const copied = copyPages(look, file, pagesPerStep, progress);
    if (copied !== undefined) return copied.pages;
  } finally {
    closeSync(file);
  }
  const pages = numberOf(look.database, 'page_count');
  progress.native('copy', pages * numberOf(look.database, 'page_size'), { file: path });
  // it reads a state of its own: what is read by this transaction can't be copied by it
  look.database.exec('COMMIT; PRAGMA query_only = OFF');
  look.database.prepare('VACUUM INTO ?').run(path);
  return pages;
}

function requireSound(look: Look, progress: Progress): void {
  progress.native('structure', statSync(look.path).size, { thread: currentThread() });
  const answer = Object.values(firstRow(look.database.prepare('PRAGMA quick_check(1)')) ?? {})[0];
  if (answer === 'ok') return;
  const detail = `it is damaged (${String(answer).split('\n').pop()}); take another backup, or restore it all the same without the check`;
  throw new OperationError('database-corrupt', look.path, detail);
}
