/**
 * Shared memory for bytes that are too long for a slab, used again as long as there is use for it.
 *
 * Memory that was written to before is copied into six times as fast as fresh memory (the benchmark's
 * `design-copy-64mb`). And V8 does not count shared memory when it decides to collect garbage: forty
 * dropped blocks of 32 MB stay for ever (measured on 22.5 to 26). So blocks are kept for the next call;
 * and for what is dropped, both threads make an ordinary buffer of that size, which counts, costs no
 * memory as long as nothing is written to it, and is garbage at once.
 */

import { accountFor } from '../protocol/dropped-memory.ts';

const MiB = 1024 * 1024;
/** How much is kept for later while nobody uses it. */
const MOST_KEPT = 64 * MiB;
/** And how much of it once nothing came back for so long. */
const KEPT_WHEN_QUIET = 32 * MiB;
const QUIET_MS = 10_000;
/** V8 begins to collect garbage once there is so much more beside its heap than after the last time. */
const ENOUGH_TO_COLLECT = 64 * MiB;

export class BlockPool {
  /** Free blocks by size, which is a power of two: what is not written to is not there. */
  readonly #free = new Map<number, SharedArrayBuffer[]>();
  #kept = 0;
  #timer: NodeJS.Timeout | undefined;
  #dropped = 0;
  readonly #onLetGo: () => void;

  /** `onLetGo` is called when blocks are dropped while nothing else goes on. */
  constructor(onLetGo: () => void) {
    this.#onLetGo = onLetGo;
  }

  /** A block of at least so many bytes. */
  take(length: number): SharedArrayBuffer {
    const size = 2 ** Math.ceil(Math.log2(length));
    const block = this.#free.get(size)?.pop();
    if (block !== undefined) {
      this.#kept -= size;
      return block;
    }
    return new SharedArrayBuffer(size);
  }

  /** Takes back a block that neither thread uses any more. */
  giveBack(block: SharedArrayBuffer): void {
    const size = block.byteLength;
    if (this.#kept + size > MOST_KEPT) {
      this.#drop(size);
      return;
    }
    this.#kept += size;
    const free = this.#free.get(size);
    if (free === undefined) this.#free.set(size, [block]);
    else free.push(block);
    if (this.#kept <= KEPT_WHEN_QUIET) return;
    this.#timer ??= setTimeout(this.#letGo, QUIET_MS).unref();
    this.#timer.refresh();
  }

  /** How many bytes were dropped since this was asked last: the worker has to account for them as well. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  #letGo = (): void => {
    this.#timer = undefined;
    let dropped = 0;
    for (const [size, free] of [...this.#free].sort(([a], [b]) => b - a)) {
      for (; this.#kept > KEPT_WHEN_QUIET && free.pop() !== undefined; dropped += size) this.#kept -= size;
    }
    if (dropped === 0) return;
    this.#drop(dropped + ENOUGH_TO_COLLECT);
    this.#onLetGo();
  };

  #drop(bytes: number): void {
    this.#dropped += bytes;
    accountFor(bytes);
  }
}
