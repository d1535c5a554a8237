/** Which way to read a database leaves it as it is: that depends on its log, on its journal, and on who has it open. */
import { closeSync, existsSync, openSync, readFileSync, readSync, type Stats, statSync } from 'node:fs';
import type { LookWay } from '../../protocol/maintenance.ts';
import { LogFile } from './log-frames.ts';
import { knowsUrls } from './open.ts';

export const wayParameters: Record<Exclude<LookWay, 'copy'>, string> = {
  reads: 'mode=ro',
  joins: 'mode=rw',
  quiet: 'mode=ro&readonly_shm=1',
  still: 'immutable=1',
};

/** So often a file is read without a lock, before others are made to know of the reader. */
const QUIET_TRIES = 3;

export function chooseWay(
  path: string,
  stats: Stats,
  { untouched, looks }: { untouched: boolean; looks: boolean },
  tries: number,
): LookWay {
  const log = statSync(`${path}-wal`, { throwIfNoEntry: false });
  const index = existsSync(`${path}-shm`);
  const journal = isFilled(`${path}-journal`);
  const filled = log !== undefined && log.size > 0;
  // SQLite would make an index for such a log, or take the log or the journal of a process that was killed into the file
  const changes = journal || (filled && (!index || (looks && !isHeld(`${path}-shm`, tries))));
  // a file in use that changes too often to be copied is read as others read it
  if (!knowsUrls()) return (untouched || changes) && tries <= QUIET_TRIES ? 'copy' : 'joins';
  // SQLite removes the log beside a database of no pages, so it must not see it
  if (stats.size === 0) return 'still';
  if (untouched) return chooseUntouched(path, { log, index, journal, tries });
  // with locks, SQLite tells whether a journal is somebody's write under way, or what a crash has left
  if (journal) return 'reads';
  if (filled) return changes ? 'copy' : 'reads';
  // what is in no log is in the file
  return looks && tries <= QUIET_TRIES ? 'still' : 'joins';
}

function chooseUntouched(
  path: string,
  { log, index, journal, tries }: { log: Stats | undefined; index: boolean; journal: boolean; tries: number },
): LookWay {
  // SQLite tries for ten seconds to make sense of a log that does not begin as one
  if (log !== undefined && index && (log.size === 0 || hasHeader(path))) return 'quiet';
  if (log !== undefined && log.size > 0) return 'copy';
  // a file without a log that changes again and again has readers that use locks only
  return journal || (tries > QUIET_TRIES && !isInLogMode(path)) ? 'reads' : 'still';
}

/**
 * Whether a program has the database of this index open: it holds a lock on it then. Programs of other containers are
 * not seen; where no program is, or can be, a copy of the file shows whether it changes.
 */
function isHeld(indexPath: string, tries: number): boolean {
  const inode = String(statSync(indexPath, { bigint: true, throwIfNoEntry: false })?.ino);
  try {
    // number, kind, ADVISORY, READ or WRITE, process, major:minor:inode, first byte, last byte
    return readFileSync('/proc/locks', 'utf8')
      .split('\n')
      .some((line) => line.trim().split(/\s+/).at(-3)?.split(':')[2] === inode);
  } catch {
    return tries > 1; // no such list on this system
  }
}

export function isFilled(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/** Whether SQLite would make a log by reading: its format's bytes 18 and 19 tell (https://sqlite.org/fileformat2.html). */
function isInLogMode(path: string): boolean {
  const file = openSync(path, 'r');
  try {
    const header = new Uint8Array(20);
    return readSync(file, header, 0, 20, 0) === 20 && header[18] === 2;
  } finally {
    // nothing else in this process has it open: that is what `untouched` promises
    closeSync(file);
  }
}

function hasHeader(path: string): boolean {
  const log = new LogFile(`${path}-wal`);
  try {
    return log.hasHeader;
  } finally {
    log.close();
  }
}
