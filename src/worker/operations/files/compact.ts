/** Gives the free pages of a database back: it is written anew, and the new file takes the place of the old one. */
import { statSync } from 'node:fs';
import type { SDS_CompactResult } from '../../../protocol/operations.ts';
import { performance } from '../../../protocol/surroundings.ts';
import { requireStoreFile } from '../../sqlite/schema.ts';
import { OperationError } from '../failure.ts';
import type { Progress } from '../progress.ts';
import { locate } from './locate.ts';
import { pageCounts, requireWhole } from './page-counts.ts';
import { PartialFile } from './partial-file.ts';
import { keepsLog, leaveLogMode, openAlone, ownedLike, putInstead } from './replace-file.ts';

export function compact({ path }: { path: string }, progress: Progress): SDS_CompactResult {
  const begun = performance.now();
  if (locate(path).size === 0)
    throw new OperationError('schema-mismatch', path, 'the file is empty: there is nothing to compact');
  const owned = openAlone(path);
  let partial: PartialFile | undefined;
  try {
    requireStoreFile(owned.database);
    requireWhole(owned.database, path);
    const before = statSync(path);
    const { pageBytes, pages, usedBytes: needed } = pageCounts(owned.database, path);
    partial = new PartialFile(path, needed, before);
    ownedLike(partial.path, before);
    progress.step('rebuild', 0, needed, 'bytes');
    owned.database.prepare('VACUUM INTO ?').run(partial.path);
    if (owned.mode === 'wal') keepsLog(partial.path);
    progress.step('rebuild', needed, needed, 'bytes');
    progress.lastChance();
    const BytesAfter = statSync(partial.path).size;
    leaveLogMode(owned, path);
    putInstead(partial, owned);
    return { Path: path, BytesBefore: pages * pageBytes, BytesAfter, DurationMs: performance.now() - begun };
  } catch (error) {
    throw partial?.failureOf(error) ?? error;
  } finally {
    partial?.remove();
    owned.release();
  }
}
