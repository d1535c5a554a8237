/**
 * Shared memory for bytes that are too long for a slab. It is used again: copying into it is six times as fast as into fresh
 * memory (`design-copy-64mb`), and dropped shared memory is slow to come back (`protocol/gc-pressure.ts`).
 */
import { accountFor, accountForAtOnce } from '../../protocol/gc-pressure.ts';
import { later, performance } from '../../protocol/surroundings.ts';

const MiB = 1024 * 1024;
/** As long as there is more, in use or kept, room for a new block is made by dropping what is kept. */
const MOST = 96 * MiB;
/** The bytes that are kept for good; the rest is kept for a while after it was used. */
const KEPT_WHEN_QUIET = 32 * MiB;
const WHILE_MS = 10_000;

interface FreeBlock {
  block: SharedArrayBuffer;
  since: number;
}

export class BlockPool {
  /** In the order in which they came back. */
  readonly #free: FreeBlock[] = [];
  #freeBytes = 0;
  #usedBytes = 0;
  #dropped = 0;
  #willLetGo = false;
  readonly #onLetGo: (bytes: number) => void;
  readonly #whileMs: number;

  /** `onLetGo` is told what was dropped while nothing else may go on; `whileMs` is how long blocks are kept when idle. */
  constructor(onLetGo: (bytes: number) => void, whileMs = WHILE_MS) {
    this.#onLetGo = onLetGo;
    this.#whileMs = whileMs;
  }

  /** Bytes of blocks that are in use or kept. */
  get bytes(): number {
    return this.#usedBytes + this.#freeBytes;
  }

  /** A block of at least so many bytes. What is not written to is not there, so sizes are powers of two. */
  take(length: number): SharedArrayBuffer {
    const size = 2 ** Math.ceil(Math.log2(length));
    const block = this.#takeFree(size) ?? this.#make(size);
    this.#usedBytes += size;
    return block;
  }

  /** Takes back a block that neither thread uses any more. */
  giveBack(block: SharedArrayBuffer): void {
    this.#usedBytes -= block.byteLength;
    this.#freeBytes += block.byteLength;
    this.#free.push({ block, since: performance.now() });
    this.#letGoLater();
  }

  /** Told of a block that a worker may still be looking at: it is not used again. */
  abandon(block: SharedArrayBuffer): void {
    this.#usedBytes -= block.byteLength;
    this.#dropped += block.byteLength;
    accountFor(block.byteLength);
  }

  /** How many bytes were dropped since this was asked last: the worker has to account for them as well. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  #takeFree(size: number): SharedArrayBuffer | undefined {
    const index = this.#free.findLastIndex(({ block }) => block.byteLength === size);
    if (index < 0) return undefined;
    this.#freeBytes -= size;
    return this.#free.splice(index, 1)[0]?.block;
  }

  #make(size: number): SharedArrayBuffer {
    while (this.bytes + size > MOST && this.#free.length > 0) accountFor(this.#dropOldest());
    return new SharedArrayBuffer(size);
  }

  /** Returns its size. */
  #dropOldest(): number {
    const bytes = this.#free.shift()?.block.byteLength ?? 0;
    this.#freeBytes -= bytes;
    this.#dropped += bytes;
    return bytes;
  }

  /** Comes when the block that came back first may be dropped, if there is too much. */
  #letGoLater(): void {
    const [oldest] = this.#free;
    if (oldest === undefined || this.#freeBytes <= KEPT_WHEN_QUIET) return;
    // one that came back long ago was no reason as long as there was little: it may be dropped at once
    const inMs = Math.max(oldest.since + this.#whileMs - performance.now(), 1);
    if (this.#willLetGo) return;
    this.#willLetGo = true;
    later(this.#letGo, inMs);
  }

  #letGo = (): void => {
    this.#willLetGo = false;
    const bytes = this.#dropIdle();
    if (bytes > 0) {
      // here, and not where the blocks are in variables: garbage may be collected at once
      accountForAtOnce(bytes);
      this.#onLetGo(bytes);
    }
    this.#letGoLater();
  };

  /** Drops what was not used for a while; returns how many bytes there are to account for. */
  #dropIdle(): number {
    const longAgo = performance.now() - this.#whileMs + 1; // a timer may come a millisecond early
    const isIdle = ({ since }: FreeBlock) => since <= longAgo;
    let dropped = 0;
    while (this.#freeBytes > KEPT_WHEN_QUIET && this.#free.slice(0, 1).some(isIdle)) dropped += this.#dropOldest();
    return dropped > 0 ? this.takeDropped() : 0;
  }
}
