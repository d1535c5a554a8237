/**
 * Whether a file in the making belongs to somebody who lives. Process numbers say nothing in another container and
 * names of hosts nothing for long, but the system knows who holds a lock, and lets go of it with its process. So beside
 * each such file lies a small one that is locked for as long as the other is made.
 */
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync as Database } from 'node:sqlite';
import { ifPossible } from '../../../protocol/if-possible.ts';
import { identityOf, removeFile } from '../../sqlite/ordinary-file.ts';
import { OperationError } from '../failure.ts';
import { isBusy, openFile } from './open.ts';

/** Locks of another machine may not be seen: what it has not written to for so long is nobody's. */
const QUIET_MS = 60 * 60 * 1000;
/** How often a lock may be taken away, or not be had, before it was held. */
const MOST_TRIES = 20;

const names = /^(sds-partial-[0-9a-f]{8}-(?:\d+-)?[0-9a-f]{12})\.(?:db(?:-wal|-shm|-journal)?|lock)$/;
const ends = ['.db', '.db-wal', '.db-shm', '.db-journal'];

/** Whether this is the name of a file in the making. */
export function isInTheMaking(name: string): boolean {
  return names.test(name);
}

/** The same for all processes of one kernel, which see each other's locks whatever container they are in. */
function kernel(): string {
  const id = ifPossible(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')) ?? hostname(); // no Linux
  return createHash('sha256').update(id).digest('hex').slice(0, 8);
}

export interface Hold {
  /** Of the file that is made. */
  readonly path: string;
  /** Removes all that is still under its name; what can't be removed now is left to the next operation. */
  release(): void;
}

/** Removes what killed processes have left in the folder, and begins a file in it. */
export function takeHold(folder: string): Hold {
  for (let tries = 1; ; tries++) {
    const stem = join(folder, `sds-partial-${kernel()}-${randomBytes(6).toString('hex')}`);
    closeSync(openSync(`${stem}.lock`, 'wx'));
    const lock = lockFile(`${stem}.lock`);
    const release = () => ifPossible(() => remove(stem, lock));
    try {
      // another process may have taken it for one that was left, before it was locked
      if (lock !== 'held' && identityOf(`${stem}.lock`) !== undefined) {
        removeLeftovers(folder, stem);
        return { path: `${stem}.db`, release };
      }
      if (tries === MOST_TRIES) throw new OperationError('open-failed', folder, NO_LOCKS);
    } catch (error) {
      release();
      throw error;
    }
    release();
  }
}

const NO_LOCKS = 'no file can be locked in this folder, as SQLite has to; name one on a file system that has locks';

function removeLeftovers(folder: string, own: string): void {
  const stems = new Set(readdirSync(folder).flatMap((name) => names.exec(name)?.[1] ?? []));
  // by the clock of the file system, which may be another machine's
  const now = statSync(`${own}.lock`).mtimeMs;
  for (const name of stems) {
    const stem = join(folder, name);
    if (stem === own) continue;
    try {
      removeLeftover(stem, now, name.includes(`-${kernel()}-`));
    } catch (error) {
      // another user's, or being removed by another process: no reason not to make this one
      if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    }
  }
}

function removeLeftover(stem: string, now: number, isOfThisKernel: boolean): void {
  const changed = [...ends, '.lock'].map((end) => statSync(stem + end, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  const isQuiet = now - Math.max(...changed) > QUIET_MS;
  if (!isOfThisKernel && !isQuiet) return;
  const lock = identityOf(`${stem}.lock`) === undefined ? undefined : lockFile(`${stem}.lock`);
  if (lock === 'held' || (lock === 'unknown' && !isQuiet)) return;
  remove(stem, lock);
}

/** Held by this thread, held by another, or on a file system that knows no locks. */
type Lock = Database | 'held' | 'unknown';

/** A lock of SQLite, because Node has none; nothing is written to the file. */
function lockFile(path: string): Lock {
  let database: Database | undefined;
  try {
    database = openFile(path, 'mode=rw');
    database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database?.close();
    return isBusy(error) ? 'held' : 'unknown';
  }
}

/** The lock goes last, and its file before it is unlocked: else another process could lock a file that is not there any more. */
function remove(stem: string, lock: Lock | undefined): void {
  const unlock = () => ifPossible(() => typeof lock === 'object' && lock.close()); // again, it throws
  try {
    for (const end of ends) removeFile(stem + end);
    if (process.platform === 'win32') unlock(); // a file that is open can't be removed there
    removeFile(`${stem}.lock`);
  } finally {
    unlock();
  }
}
