/**
 * Shared memory for bytes that are too long for a slab. It is used again: copying into it is six times as fast as into fresh
 * memory (`design-copy-64mb`), and dropped shared memory is slow to come back (`protocol/gc-pressure.ts`).
 */
import { accountFor, accountForAtOnce } from '../../protocol/gc-pressure.ts';
import { later } from '../../protocol/surroundings.ts';

const MiB = 1024 * 1024;
/** As long as there is more, in use or kept, room for a new block is made by dropping what is kept. */
const MOST = 96 * MiB;
/** The bytes that are kept for good; the rest goes a while after there has come to be so much. */
const KEPT_WHEN_QUIET = 32 * MiB;
const WHILE_MS = 10_000;

export class BlockPool {
  /** In the order in which they came back. */
  readonly #free: SharedArrayBuffer[] = [];
  #freeBytes = 0;
  #usedBytes = 0;
  #willLetGo = false;
  readonly #onLetGo: (bytes: number) => void;
  readonly #whileMs: number;

  /** `onLetGo` is told how many bytes were dropped that a worker has seen; `whileMs` is how long all blocks are kept. */
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
    this.#free.push(block);
    if (this.#willLetGo || this.#freeBytes <= KEPT_WHEN_QUIET) return;
    this.#willLetGo = true;
    later(this.#letGo, this.#whileMs);
  }

  /** Told of a block that a worker may still be looking at: it is not used again. */
  abandon(block: SharedArrayBuffer): void {
    this.#usedBytes -= block.byteLength;
    accountFor(block.byteLength);
  }

  #takeFree(size: number): SharedArrayBuffer | undefined {
    const index = this.#free.findLastIndex(({ byteLength }) => byteLength === size);
    if (index < 0) return undefined;
    this.#freeBytes -= size;
    return this.#free.splice(index, 1)[0];
  }

  #make(size: number): SharedArrayBuffer {
    this.#drop(() => this.bytes + size > MOST, accountFor);
    return new SharedArrayBuffer(size);
  }

  #letGo = (): void => {
    this.#willLetGo = false;
    this.#drop(() => this.#freeBytes > KEPT_WHEN_QUIET, accountForAtOnce);
  };

  /** Drops those that came back first, as long as there is too much. */
  #drop(isTooMuch: () => boolean, account: (bytes: number) => void): void {
    const before = this.#freeBytes;
    while (this.#free.length > 0 && isTooMuch()) this.#dropOldest();
    const dropped = before - this.#freeBytes;
    if (dropped === 0) return;
    account(dropped);
    this.#onLetGo(dropped);
  }

  /** By itself: no variable may hold the block where its garbage is collected at once. */
  #dropOldest(): void {
    this.#freeBytes -= this.#free.shift()?.byteLength ?? 0;
  }
}
