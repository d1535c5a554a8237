/**
 * Keeps the write-ahead log small. No commit pays for a checkpoint: one runs when the worker has
 * nothing to do, and between two batches only once the log has grown large.
 *
 * After a checkpoint SQLite writes the log from its start again, over what is there. That costs
 * less than a file that grows (the benchmark's `design-insert`), so the file is cut only after a while in which little was written.
 */
import { statSync } from 'node:fs';
import { CHECKPOINT_MICROSECONDS, CHECKPOINTS } from '../../protocol/control.ts';
import { ifPossible } from '../../protocol/if-possible.ts';
import { performance } from '../../protocol/surroundings.ts';
import { firstRow } from './node-sqlite.ts';
import { LONGEST_KEPT, type OpenedDatabase } from './open-database.ts';

const MiB = 1024 * 1024;
/** A log of this size is worth a checkpoint when there is nothing else to do, or in a pause: it takes some milliseconds, most of it for the disk. */
const WORTH_IT = 2 * MiB;
/** In pauses not more often than this: pages that are written again and again are taken into the database each time. */
const PAUSES_APART_MS = 250;
/** A log of this size is taken into the database between two batches, whatever is waiting. */
const LARGE = LONGEST_KEPT;
/** With so much, because somebody read or wrote at each checkpoint, the next ones keep other processes from writing. */
const FAR_TOO_LARGE = 2 * LARGE;
/** How much is written before the log is looked at again. */
const LOOK_EVERY = MiB;
/** A small batch touches some pages of each table and index besides. */
const OVERHEAD_BYTES = 3 * 4096;
/** A log that is used again and again keeps its size; after so long with little use it is emptied. */
const QUIET_MS = 3000;

export class WalKeeper {
  readonly #opened: OpenedDatabase;
  readonly #walPath: string;
  readonly #control: Int32Array;
  /** Estimates of what was written since the last look at the log, and since all of it came into the database. */
  #sinceLook = 0;
  #inLog = 0;
  /** A file that is larger than this is full up to its end: it has grown since it was last written anew. */
  #reusedSize = 0;
  /** At this size the next checkpoint comes; larger after one that a reader kept from finishing. */
  #limit = LARGE;
  #nextPauseAt = 0;
  #due = false;
  /** When there was last so much in the log that a checkpoint was worth it, and came to its end. */
  #usedAt = 0;

  constructor(opened: OpenedDatabase, control: Int32Array) {
    this.#opened = opened;
    this.#walPath = `${opened.location}-wal`;
    this.#control = control;
  }

  /** Told after each commit; runs a checkpoint here only if the log has become large. */
  wrote(bytes: number): void {
    if (bytes === 0) return;
    this.#due = true;
    this.#sinceLook += bytes + OVERHEAD_BYTES;
    if (this.#sinceLook < LOOK_EVERY) return;
    const used = this.#used();
    if (used < this.#limit) return;
    if (!this.checkpoint(used < FAR_TOO_LARGE ? 'PASSIVE' : 'RESTART')) this.#limit = used + WORTH_IT;
  }

  /** Told in a pause between batches, where more are expected: with little in the log, none of them waits for long. */
  checkpointInPause(): void {
    if (this.#inLog + this.#sinceLook < WORTH_IT) return;
    const now = performance.now();
    if (now < this.#nextPauseAt || this.#used() < WORTH_IT) return;
    this.#nextPauseAt = now + PAUSES_APART_MS;
    this.checkpoint('PASSIVE'); // as far as readers allow; the rest is for the next pause
  }

  /** Told when nothing is waiting; returns whether to ask again later. */
  checkpointIfIdle(): boolean {
    if (!this.#due) return false;
    if (this.#used() >= WORTH_IT && !this.checkpoint('PASSIVE')) return this.#due;
    if (this.#size() >= WORTH_IT) {
      const quiet = performance.now() - this.#usedAt >= QUIET_MS;
      if (!quiet || !this.checkpoint('TRUNCATE')) return this.#due;
    }
    this.#due = false;
    return false;
  }

  /** How much of the log is used: nothing after a checkpoint; seen from its size while it grows, else by what was written. */
  #used(): number {
    this.#inLog += this.#sinceLook;
    this.#sinceLook = 0;
    if (this.#inLog === 0) return 0; // however large the file: it is cut when quiet, or by the next commit
    const size = this.#size();
    return size > this.#reusedSize ? size : Math.min(this.#inLog, size);
  }

  /**
   * Returns whether all of the log came into the database; then the next commit writes it anew. None of
   * the modes waits for anybody. PASSIVE does what others allow; RESTART and TRUNCATE keep writers out
   * meanwhile, if there is none at the moment, and TRUNCATE empties the file, if nobody reads.
   */
  checkpoint(mode: 'PASSIVE' | 'RESTART' | 'TRUNCATE'): boolean {
    try {
      // It may be the log of another file which has the name by now: that one would lose what is taken from
      // there. The next commit, if the file comes back, says what is due.
      this.#due = this.#opened.ownsLog();
      if (!this.#due) return false;
      const begunAt = performance.now();
      const row = firstRow(this.#opened.database.prepare(`PRAGMA wal_checkpoint(${mode})`));
      Atomics.add(this.#control, CHECKPOINT_MICROSECONDS, Math.round((performance.now() - begunAt) * 1000));
      Atomics.add(this.#control, CHECKPOINTS, 1);
      if (row?.busy !== 0 || row.log !== row.checkpointed) return false;
      this.#inLog = this.#sinceLook = 0;
      this.#limit = LARGE;
      this.#usedAt = performance.now();
      this.#reusedSize = Math.min(this.#size(), LONGEST_KEPT);
      return true;
    } catch {
      // another process is at it, or the disk is full: no caller waits for this, nothing is lost by
      // it, and as `false` says, it is tried again
      return false;
    }
  }

  #size(): number {
    // its folder may not be readable any more: the next call will tell, this is no call's business
    return ifPossible(() => statSync(this.#walPath, { throwIfNoEntry: false })?.size) ?? 0;
  }
}
