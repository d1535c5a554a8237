/**
 * Keeps the write-ahead log small. No commit pays for a checkpoint: one runs when the worker has
 * nothing to do, and between two batches only once the log has grown large.
 */
import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { firstRow } from './node-sqlite.ts';

const MiB = 1024 * 1024;
/** A log of this size is worth a checkpoint as soon as there is nothing else to do. */
const WORTH_IT = 2 * MiB;
/** A log of this size is taken back between two batches, whatever is waiting. */
const LARGE = 48 * MiB;
/** How much is written before the log's size is looked at again. */
export const LOOK_EVERY = MiB;
/** A small batch touches some pages of each table and index besides. */
const OVERHEAD_BYTES = 3 * 4096;

export class WalKeeper {
  readonly #database: DatabaseSync;
  readonly #walPath: string;
  /** Estimate of what was added to the log since the last look at it. */
  #added = 0;
  /** At this size the next checkpoint comes; larger after one that a reader kept from finishing. */
  #limit = LARGE;
  #due = false;

  constructor(database: DatabaseSync, path: string) {
    this.#database = database;
    this.#walPath = `${path}-wal`;
  }

  /** Told after each commit; runs a checkpoint here only if the log has become large. */
  wrote(bytes: number): void {
    if (bytes === 0) return;
    this.#due = true;
    this.#added += bytes + OVERHEAD_BYTES;
    if (this.#added < LOOK_EVERY) return;
    this.#added = 0;
    const size = this.#size();
    if (size < this.#limit) return;
    this.#limit = this.#checkpoint('PASSIVE') ? LARGE : size + WORTH_IT;
  }

  /** Told when nothing is waiting; returns whether to ask again later. */
  checkpointIfIdle(): boolean {
    if (!this.#due) return false;
    if (this.#size() >= WORTH_IT && !this.#checkpoint('TRUNCATE')) return true;
    this.#due = false;
    this.#limit = LARGE;
    return false;
  }

  /**
   * Returns whether all of the log came into the database. PASSIVE does what readers allow and waits
   * for nobody; the next commit then starts the log anew and cuts it to `journal_size_limit`.
   * TRUNCATE empties it at once, if nobody reads.
   */
  #checkpoint(mode: 'PASSIVE' | 'TRUNCATE'): boolean {
    try {
      const row = firstRow(this.#database.prepare(`PRAGMA wal_checkpoint(${mode})`));
      return row?.busy === 0 && row.log === row.checkpointed;
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
