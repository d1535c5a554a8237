/** Makes a copy of a database under another name: a backup, or a restored one. */
import { statSync } from 'node:fs';
import type { DatabaseSync as Database } from 'node:sqlite';
import { reportedOf } from '../../../protocol/errors.ts';
import type { Operations } from '../../../protocol/operation-messages.ts';
import type { SDS_BackupResult } from '../../../protocol/operations.ts';
import { performance } from '../../../protocol/surroundings.ts';
import { READ_ERRORS } from '../../sqlite/errors.ts';
import { backup as copyDatabase } from '../../sqlite/node-sqlite.ts';
import { requireStoreFile } from '../../sqlite/schema.ts';
import { OperationError, toFailure } from '../failure.ts';
import type { Progress } from '../progress.ts';
import { locate } from './locate.ts';
import { type Reading, withReading } from './open-to-read.ts';
import { pragmaOf, requireWhole } from './page-counts.ts';
import { PartialFile } from './partial-file.ts';
import { ownedLike, placeFor, putInPlace } from './replace-file.ts';
import { faultsIn } from './structure.ts';

/** Copied in one go, by a thread of Node's pool; between two pieces it may be stopped, and gives way to traffic. */
const PIECE_BYTES = 4 * 1024 * 1024;

export async function backup(given: Operations['backup']['given'], progress: Progress): Promise<SDS_BackupResult> {
  const begun = performance.now();
  const stats = locate(given.path);
  const { target } = given;
  const existing = placeFor(given.path, target, given.overwrite);
  let partial = undefined as PartialFile | undefined;
  try {
    const pageBytes = await withReading(given.path, async (reading) => {
      partial?.remove(); // of what has changed meanwhile
      partial = undefined;
      requireStoreFile(reading.database);
      requireWhole(reading.database, given.path);
      if (given.verify) requireSound(reading, given.path, progress);
      const pageBytes = pragmaOf(reading.database, 'page_size');
      const bytes = pageBytes * pragmaOf(reading.database, 'page_count');
      partial = new PartialFile(target, bytes, stats);
      try {
        if (existing !== undefined) ownedLike(partial.path, existing);
        await copyInto(reading.database, partial.path, bytes, progress);
        progress.step('copy', bytes, bytes, 'bytes');
      } catch (error) {
        // SQLite tells of both files as one; the new one is not read
        const isSource = READ_ERRORS.includes(reportedOf(error).errcode ?? 0);
        throw isSource ? toFailure(error, given.path) : partial.failureOf(error);
      }
      return pageBytes;
    });
    // from here on the source may change
    progress.lastChance();
    const made = partial as PartialFile; // it was read to make that
    const Bytes = statSync(made.path).size;
    putInPlace(made, given.overwrite);
    return { Path: target, Bytes, Pages: Bytes / pageBytes, DurationMs: performance.now() - begun };
  } catch (error) {
    throw partial?.failureOf(error) ?? error;
  } finally {
    partial?.remove();
  }
}

/** By SQLite's own means: what is copied is the state that the open transaction reads, so nothing makes it begin anew. */
async function copyInto(database: Database, path: string, bytes: number, progress: Progress): Promise<void> {
  progress.step('copy', 0, bytes, 'bytes');
  const pageBytes = pragmaOf(database, 'page_size');
  if (copyDatabase !== undefined) {
    await copyDatabase(database, path, {
      rate: Math.max(1, Math.floor(PIECE_BYTES / pageBytes)),
      progress: ({ remainingPages }) => progress.step('copy', bytes - remainingPages * pageBytes, bytes, 'bytes'),
    });
    return;
  }
  // it reads a state of its own: what is read by this transaction can't be copied by it
  database.exec('COMMIT; PRAGMA query_only = OFF');
  database.prepare('VACUUM INTO ?').run(path);
}

function requireSound({ database }: Reading, path: string, progress: Progress): void {
  progress.step('structure', 0, statSync(path).size, 'bytes');
  const [fault] = faultsIn(database, 'quick_check', 1);
  if (fault === undefined) return;
  const detail = `it is damaged (${fault.split('\n').pop()}); take another backup, or restore it all the same without verifying it (Verify: false)`;
  throw new OperationError('database-corrupt', path, detail);
}
