/** What was sent and is not settled, oldest first; and what may follow it. */
import type { Batch } from './batch.ts';
import type { Load } from './load.ts';

export type Item = Batch | Load;

/** Enough to go off before the end of the turn, or behind one under way: smaller ones cost more, with many files. */
export const WORTH_SENDING = 32 * 1024;
/** Small batches follow each other without a limit but this: the worker commits together what it finds. */
export const MOST_SMALL = 64;
const SMALL_BYTES = 8 * WORTH_SENDING;

export class InFlight {
  readonly items: Item[] = [];
  readonly #isFinished: (batch: Batch) => boolean;

  constructor(isFinished: (batch: Batch) => boolean) {
    this.#isFinished = isFinished;
  }

  get hasLoads(): boolean {
    return this.items.some(({ kind }) => kind === 'load');
  }

  /** Whether every batch of it is committed, or has failed. */
  get isFinished(): boolean {
    return this.items.every((item) => item.kind === 'load' || this.#isFinished(item));
  }

  add(item: Item): void {
    if (item.kind === 'batch') {
      item.sent = true;
      // a write from a blocked thread: the loads before it can't be asked again
      for (const before of this.items) if (before.kind === 'load') before.passed = true;
    }
    this.items.push(item);
  }

  /** Whether an item may be sent now, where so many small batches may be under way. */
  mayFollow(next: Item, mostSmall: number, blocked: boolean): boolean {
    if (next.kind === 'load') return true;
    // loads may have to be asked again, so the state must stay; but a blocked thread gets no answers
    if (!blocked && this.hasLoads) return false;
    if (next.large !== undefined) return true;
    let unfinished = 0;
    let bytes = 0;
    for (const item of this.items) {
      if (item.kind === 'load' || item.large !== undefined || this.#isFinished(item)) continue;
      unfinished++;
      bytes += item.bytes;
    }
    if (unfinished === 0 || (unfinished === 1 && next.bytes >= WORTH_SENDING)) return true;
    return unfinished < mostSmall && bytes + next.bytes <= SMALL_BYTES;
  }

  takeFinished(settle: (batch: Batch) => void): void {
    for (let i = 0; i < this.items.length; ) {
      const item = this.items[i] as Item; // i is below the length
      if (item.kind === 'load') {
        i++;
        continue;
      }
      if (!this.#isFinished(item)) return;
      this.items.splice(i, 1);
      settle(item);
    }
  }

  /** Takes out a load that is answered, or a batch that never went off; false if it was refused meanwhile. */
  take(item: Item): boolean {
    const at = this.items.indexOf(item);
    if (at < 0) return false;
    this.items.splice(at, 1);
    return true;
  }

  takeAll(): Item[] {
    return this.items.splice(0);
  }
}
