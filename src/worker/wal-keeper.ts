/**
 * Keeps the write-ahead log small. No commit pays for a checkpoint: one runs when the worker has
 * nothing to do, and between two batches only once the log has grown large.
 *
 * After a checkpoint SQLite writes the log from its start again, over what is there. That costs a fifth
 * less than a file that grows, so the file is cut only after a while without work.
 */
import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { firstRow } from './node-sqlite.ts';

const MiB = 1024 * 1024;
/** So much in the log is worth a checkpoint as soon as there is nothing else to do. */
const WORTH_IT = 2 * MiB;
/** So much is taken into the database between two batches, whatever is waiting. */
const LARGE = 48 * MiB;
/** When the log is used anew, SQLite cuts what is longer: what a reader made of it does not stay. */
export const LONGEST_KEPT = LARGE;
/** How much is written before the log is looked at again. */
export const LOOK_EVERY = MiB;
/** A small batch touches some pages of each table and index besides. */
const OVERHEAD_BYTES = 3 * 4096;
/** A log that is used again and again keeps its size; after so long without a write it is emptied. */
const QUIET_MS = 3000;

export class WalKeeper {
  readonly #database: DatabaseSync;
  readonly #walPath: string;
  /** Estimates of what was written since the last look at the log, and since it was last used up. */
  #sinceLook = 0;
  #inLog = 0;
  /** The file's size when its log was last used up: a larger one is full up to its end. */
  #usedUpSize = 0;
  /** At this size the next checkpoint comes; larger after one that a reader kept from finishing. */
  #limit = LARGE;
  #due = false;
  #lastWrite = 0;

  constructor(database: DatabaseSync, path: string) {
    this.#database = database;
    this.#walPath = `${path}-wal`;
  }

  /** Told after each commit; runs a checkpoint here only if the log has become large. */
  wrote(bytes: number): void {
    if (bytes === 0) return;
    this.#due = true;
    this.#lastWrite = performance.now();
    this.#sinceLook += bytes + OVERHEAD_BYTES;
    if (this.#sinceLook < LOOK_EVERY) return;
    const used = this.#used();
    if (used < this.#limit) return;
    this.#limit = this.#checkpoint('PASSIVE') ? LARGE : used + WORTH_IT;
  }

  /** Told when nothing is waiting; returns whether to ask again later. */
  checkpointIfIdle(): boolean {
    if (!this.#due) return false;
    if (this.#used() >= WORTH_IT && !this.#checkpoint('PASSIVE')) return true;
    this.#limit = LARGE;
    if (this.#size() >= WORTH_IT) {
      if (performance.now() - this.#lastWrite < QUIET_MS || !this.#checkpoint('TRUNCATE')) return true;
    }
    this.#due = false;
    return false;
  }

  /** How much of the log is used: seen from its size while it grows, else by what was written. */
  #used(): number {
    this.#inLog += this.#sinceLook;
    this.#sinceLook = 0;
    const size = this.#size();
    return size > this.#usedUpSize ? size : Math.min(this.#inLog, size);
  }

  /**
   * Returns whether all of the log came into the database. PASSIVE does what readers allow and waits
   * for nobody; the next commit then starts the log anew. TRUNCATE empties it at once, if nobody reads.
   */
  #checkpoint(mode: 'PASSIVE' | 'TRUNCATE'): boolean {
    try {
      const row = firstRow(this.#database.prepare(`PRAGMA wal_checkpoint(${mode})`));
      if (row?.busy !== 0 || row.log !== row.checkpointed) return false;
      this.#inLog = this.#sinceLook = 0;
      this.#usedUpSize = this.#size();
      return true;
    } catch {
      // another process is at it, or the disk is full: no caller waits for this, nothing is lost by
      // it, and as `false` says, it is tried again
      return false;
    }
  }

  #size(): number {
    try {
      return statSync(this.#walPath, { throwIfNoEntry: false })?.size ?? 0;
    } catch {
      return 0; // its folder can't be read any more: the next call will tell, this is no call's business
    }
  }
}
