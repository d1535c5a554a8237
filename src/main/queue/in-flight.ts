/** What was sent and is not settled; and what may follow it. */

import { Fifo } from '../../protocol/fifo.ts';
import type { Trace } from '../observe/channels.ts';
import type { Batch } from './batch.ts';
import type { LoadCall } from './member.ts';

/** It crosses through Comlink, perhaps together with others, behind all writes that were called before it. */
export interface Load {
  readonly kind: 'load';
  readonly call: LoadCall;
  /** Among all that was called on its file. */
  readonly place: number;
  /** By `performance.now()`. */
  readonly askedAt: number;
  readonly answer: PromiseWithResolvers<unknown>;
  trace: Trace | undefined;
}

export type Item = Batch | Load;

/**
 * A batch of this size is sent before the end of the turn, and behind one under way; smaller ones are gathered, because sending each
 * costs more with many files.
 */
export const WORTH_SENDING = 32 * 1024;
/** Small batches follow each other without a limit but this: the worker commits together what it finds. */
export const MOST_SMALL = 64;
const SMALL_BYTES = 8 * WORTH_SENDING;

export class InFlight {
  readonly batches: Batch[] = [];
  readonly #loads = new Fifo<Load>();
  readonly #isFinished: (batch: Batch) => boolean;
  /** The place of the batch that was sent last. */
  #lastPlace = 0;

  constructor(isFinished: (batch: Batch) => boolean) {
    this.#isFinished = isFinished;
  }

  get hasLoads(): boolean {
    return this.#loads.length > 0;
  }

  /** The place of what was called first; Infinity if there is nothing. */
  get oldestPlace(): number {
    const { place: ofBatch = Number.POSITIVE_INFINITY } = this.batches[0] ?? {};
    const { place: ofLoad = Number.POSITIVE_INFINITY } = this.#loads.first ?? {};
    return Math.min(ofBatch, ofLoad);
  }

  get isEmpty(): boolean {
    return this.batches.length === 0 && !this.hasLoads;
  }

  /** Whether every batch of it is committed, or has failed. */
  get isFinished(): boolean {
    return this.batches.every(this.#isFinished);
  }

  add(item: Item): void {
    if (item.kind === 'load') {
      this.#loads.push(item);
      return;
    }
    item.sent = true;
    this.#lastPlace = item.place;
    this.batches.push(item);
  }

  /** Whether a write that was called after it went to the worker, from a blocked thread: then it can't be asked again. */
  isPassed({ place }: Load): boolean {
    return place < this.#lastPlace;
  }

  /** Whether an item may be sent now, where so many small batches may be under way. */
  mayFollow(next: Item, mostSmall: number, blocked: boolean): boolean {
    if (next.kind === 'load') return true;
    // loads may have to be asked again, so the state must stay; but a blocked thread gets no answers
    if (!blocked && this.hasLoads) return false;
    if (next.large !== undefined) return true;
    let unfinished = 0;
    let bytes = 0;
    for (const batch of this.batches) {
      if (batch.large !== undefined || this.#isFinished(batch)) continue;
      unfinished++;
      bytes += batch.bytes;
    }
    if (unfinished === 0 || (unfinished === 1 && next.bytes >= WORTH_SENDING)) return true;
    return unfinished < mostSmall && bytes + next.bytes <= SMALL_BYTES;
  }

  /** They are finished in order. */
  takeFinished(settle: (batch: Batch) => void): void {
    for (;;) {
      const [first] = this.batches;
      if (first === undefined || !this.#isFinished(first)) return;
      this.batches.shift();
      settle(first);
    }
  }

  /** Takes out a load that is answered. */
  answered(load: Load): void {
    this.#loads.remove(load);
  }

  /** Takes the batch back that was sent last: it never went off. */
  takeBack(batch: Batch): void {
    batch.sent = false;
    this.batches.pop();
  }

  takeAll(): Item[] {
    return [...this.batches.splice(0), ...this.#loads.takeAll()];
  }
}
