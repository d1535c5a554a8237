/**
 * Shared memory for bytes that are too long for a slab, used again as long as there is use for it.
 *
 * V8 does not count shared memory when it decides to collect garbage: forty dropped blocks of 32 MB
 * stay for ever (measured on 22.5 to 26). So blocks are kept for the next call; and each one that is
 * made is accompanied by an ordinary buffer of its size, which counts, costs no memory as long as
 * nothing is written to it, and is garbage at once.
 */

const MiB = 1024 * 1024;
/** How much is kept for later while nobody uses it. */
const MOST_KEPT = 32 * MiB;

export class BlockPool {
  /** Free blocks by size, which is a power of two: what is not written to is not there. */
  readonly #free = new Map<number, SharedArrayBuffer[]>();
  #kept = 0;

  /** A block of at least so many bytes. */
  take(length: number): SharedArrayBuffer {
    const size = 2 ** Math.ceil(Math.log2(length));
    const block = this.#free.get(size)?.pop();
    if (block !== undefined) {
      this.#kept -= size;
      return block;
    }
    accountFor(length);
    return new SharedArrayBuffer(size);
  }

  /** Takes back a block that neither thread uses any more. */
  giveBack(block: SharedArrayBuffer): void {
    const size = block.byteLength;
    if (this.#kept + size > MOST_KEPT) return;
    this.#kept += size;
    const free = this.#free.get(size);
    if (free === undefined) this.#free.set(size, [block]);
    else free.push(block);
  }
}

function accountFor(bytes: number): void {
  new ArrayBuffer(bytes);
}
