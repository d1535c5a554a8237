/**
 * One store of a file, as all its providers in this process see it: what is said of one of them may concern the others.
 *
 * **What a prune leaves alone.** A program that waits for a snapshot goes on with its counter as it is by then, and what
 * was appended meanwhile is in no snapshot. So a prune that is called once the promise of a snapshot has settled deletes
 * no patch that was called while it was on its way, before a later snapshot with at least its number is stored. The same
 * holds for the turn of the event loop in which it has settled: whoever waits by way of other promises goes on within that
 * turn, but behind others. What is called without waiting keeps its meaning; snapshots of number 0 say nothing of patches;
 * and promises that resolve at the call leave no meanwhile.
 */
import { nextTurn } from '../../protocol/surroundings.ts';

/**
 * Patches that share a promise, because they were called one after the other: whatever else is called of their store ends the
 * run. If a call of the batch fails, each promise is carried out by itself, and so the calls of a store keep their order.
 */
export interface Run {
  readonly batch: object;
  /** The provider that called them. */
  readonly member: object;
  readonly settler: number;
  readonly promise: Promise<void>;
}

/** Numbers of patches, from the lowest to the highest. */
interface Range {
  lowest: number;
  highest: number;
}

const none: Range = { lowest: Number.POSITIVE_INFINITY, highest: Number.NEGATIVE_INFINITY };

export class Store {
  /** How many providers there are, and how many patches they have appended. */
  providers = 0;
  appends = 0;
  /** What the next patch may be part of. One that is settled is let go: before Node 24 its promise keeps its call's asynchronous context. */
  run: Run | undefined;
  /** Snapshots on their way, with a number and a caller that waits for them; and the patches called meanwhile. */
  #onTheirWay = 0;
  #meanwhile = none;
  /** Those that have settled in this turn of the event loop. */
  #justSettled = 0;
  /** Those that prunes leave alone. */
  #held = none;

  /** Told of each patch that is appended. */
  appended(clock: number): void {
    this.appends++;
    if (this.#onTheirWay === 0 && this.#justSettled === 0) return;
    const patch = { lowest: clock, highest: clock };
    if (this.#onTheirWay > 0) this.#meanwhile = union(this.#meanwhile, patch);
    if (this.#justSettled > 0) this.#held = union(this.#held, patch);
  }

  /** From now on patches are called while a snapshot is on its way. */
  snapshotBegan(): void {
    this.#onTheirWay++;
  }

  /** It has ended, having begun or not. */
  snapshotEnded(clock: number, isStored: boolean, hadBegun: boolean): void {
    if (hadBegun) this.#onTheirWay--;
    this.#held = union(this.#held, this.#meanwhile);
    if (this.#onTheirWay === 0) this.#meanwhile = none;
    const { lowest, highest } = this.#held;
    // it has the patches up to its number
    if (isStored && clock >= lowest) this.#held = clock >= highest ? none : { lowest: clock + 1, highest };
  }

  /** A snapshot settles in this turn, to its end. */
  async snapshotSettles(): Promise<void> {
    this.#justSettled++;
    await nextTurn();
    this.#justSettled--;
  }

  /** The patches below which number a prune may delete. */
  pruneLimit(beforeClock: number): number {
    return Math.min(beforeClock, this.#held.lowest);
  }
}

function union(a: Range, b: Range): Range {
  return { lowest: Math.min(a.lowest, b.lowest), highest: Math.max(a.highest, b.highest) };
}
