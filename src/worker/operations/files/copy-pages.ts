/**
 * Copies a database as it is at one moment, at the speed of a file copy, while others write.
 *
 * An open read transaction keeps two things as they are (https://sqlite.org/wal.html): pages that are not in the
 * log stay in the file, and the log is not written anew from its start, unless all of it was in the file when the
 * transaction began. A checkpoint may meanwhile bring pages into the file that are in the log as well. So the
 * file's pages, with the log's committed pages written over them, are the state after the log's last commit.
 */
import { ftruncateSync, statSync, writeSync } from 'node:fs';
import { firstRow } from '../../sqlite/node-sqlite.ts';
import { ChangedMeanwhile } from '../failure.ts';
import type { Progress } from '../progress.ts';
import { type DatabaseFile, databaseFile } from './database-file.ts';
import { LogFile } from './log-frames.ts';
import type { Look } from './open-to-read.ts';
import { numberOf } from './page-counts.ts';

/** Small enough to stay in the processor's cache between reading and writing. */
const PIECE_BYTES = 128 * 1024;
const MOST_ROUNDS = 3;

export interface Copied {
  pages: number;
  pageBytes: number;
}

/**
 * @param descriptor - of an empty file
 * @returns `undefined` if the system does not let the file be read past SQLite
 */
export function copyPages(
  look: Look,
  descriptor: number,
  pagesPerStep: number,
  progress: Progress,
): Copied | undefined {
  const file = databaseFile(look.path);
  if (file === undefined) return undefined;
  try {
    return copyAll(look, file, descriptor, pagesPerStep, progress);
  } finally {
    file.close();
  }
}

function copyAll(look: Look, file: DatabaseFile, target: number, pagesPerStep: number, progress: Progress): Copied {
  const pageBytes = numberOf(look.database, 'page_size');
  const snapshotPages = numberOf(look.database, 'page_count');
  const total = Math.max(file.size(), snapshotPages * pageBytes);
  const buffer = new Uint8Array(Math.max(PIECE_BYTES, pageBytes));
  const stepBytes = pagesPerStep * pageBytes;
  let sinceStep = 0;
  for (let position = 0; ; ) {
    const length = file.read(buffer, buffer.length, position);
    writeAll(target, buffer.subarray(0, length), position);
    position += length;
    sinceStep += length;
    if (length < buffer.length) break;
    if (sinceStep < stepBytes) continue;
    progress.step('copy', position, total, 'bytes');
    sinceStep = 0;
  }
  const pages = overlayLog(look, file, target, pageBytes) ?? snapshotPages;
  ftruncateSync(target, pages * pageBytes);
  progress.step('copy', pages * pageBytes, pages * pageBytes, 'bytes');
  return { pages, pageBytes };
}

/** Returns how many pages the database has by the log; `undefined` if there is nothing in it, or no log. */
function overlayLog(look: Look, file: DatabaseFile, target: number, pageBytes: number): number | undefined {
  const logPath = `${look.path}-wal`;
  const isEmpty = (statSync(logPath, { throwIfNoEntry: false })?.size ?? 0) === 0;
  if (look.way === 'still' || isEmpty || !usesLog(look)) return undefined;
  const log = new LogFile(logPath);
  const page = new Uint8Array(pageBytes);
  try {
    // a log that was written anew while it was read held nothing before that is not in the file
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const { pages, databasePages, header } = log.frames(pageBytes);
      if (!log.header().equals(header)) continue;
      let whole = true;
      for (const [number, position] of pages) {
        whole &&= log.read(page, position);
        writeAll(target, page, (number - 1) * pageBytes);
      }
      if (whole && log.header().equals(header)) return databasePages;
      for (const number of pages.keys()) {
        const length = file.read(page, pageBytes, (number - 1) * pageBytes);
        writeAll(target, page.subarray(0, length), (number - 1) * pageBytes);
      }
    }
  } finally {
    log.close();
  }
  throw new ChangedMeanwhile(look.path);
}

function usesLog(look: Look): boolean {
  return Object.values(firstRow(look.database.prepare('PRAGMA journal_mode')) ?? {})[0] === 'wal';
}

function writeAll(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(descriptor, bytes, done, bytes.length - done, position + done);
  }
}
