/** The memory in which calls wait for their commit: the arena's slabs, blocks beside them, and how much is in use. */

import { Arena } from '../../protocol/arena.ts';
import { accountForAtOnce } from '../../protocol/gc-pressure.ts';
import { arenaBytesFor, NO_SLAB, SLAB_HEADER, slabClasses } from '../../protocol/slabs.ts';
import { BlockPool } from './block-pool.ts';

/** With no more than this an arena may stay as it is. */
const SWOLLEN_BYTES = 4 * 1024 * 1024;

/** The slabs of one size. */
interface SlabClass {
  size: number;
  /** Those that came back, the last one on top: it is used first, so that few pages are touched. */
  used: number[];
  /** Those from here to `end` were never given out. */
  unused: number;
  end: number;
}

export class PendingMemory {
  /** Those of large writes, which are bounded apart from slabs: a huge one takes no room from small calls. */
  largeBytes = 0;
  readonly blocks: BlockPool;
  arena: Arena;
  readonly #classes: readonly SlabClass[];
  /** Capacity of the slabs in use, and the most of it in this arena: about so much of it was written to. */
  #slabBytes = 0;
  #mostSlabBytes = 0;

  constructor(pendingBytes: number, onLetGo: (bytes: number) => void) {
    this.blocks = new BlockPool(onLetGo);
    this.arena = new Arena(new SharedArrayBuffer(arenaBytesFor(pendingBytes)));
    this.#classes = classesOf(this.arena);
  }

  /** All that waits for its commit. */
  get pendingBytes(): number {
    return this.#slabBytes + this.largeBytes;
  }

  /** Whether the arena has grown in a flood and is not in use: its pages could go back to the system. */
  get isSwollen(): boolean {
    return this.#slabBytes === 0 && this.#mostSlabBytes > SWOLLEN_BYTES;
  }

  /** Goes on in a fresh arena, if there is room for one. Only while no slab is in use; the worker has to be told of it. */
  renewArena(): SharedArrayBuffer | undefined {
    const { byteLength } = this.arena.buffer;
    this.#mostSlabBytes = 0;
    try {
      this.arena = new Arena(new SharedArrayBuffer(byteLength));
    } catch {
      return undefined; // no address space for two: the old one goes on serving
    }
    accountForAtOnce(byteLength);
    return this.arena.buffer;
  }

  /** A slab for an entry of so many bytes, for a batch that has so many; NO_SLAB if too much is in use. */
  takeSlab(need: number, batchBytes: number, mostPending: number): number {
    if (this.#slabBytes >= mostPending) return NO_SLAB;
    const slab = this.#find(need, batchBytes);
    if (slab === NO_SLAB) return slab;
    const size = this.sizeOf(slab);
    this.#slabBytes += size;
    if (this.#slabBytes > this.#mostSlabBytes) this.#mostSlabBytes = this.#slabBytes;
    return slab;
  }

  hasRoom(need: number, mostPending: number): boolean {
    const slab = this.takeSlab(need, 0, mostPending);
    if (slab !== NO_SLAB) this.giveBackSlab(slab);
    return slab !== NO_SLAB;
  }

  giveBackSlab(slab: number): void {
    const size = this.sizeOf(slab);
    this.#slabBytes -= size;
    this.#classOf(slab)?.used.push(slab);
  }

  sizeOf(slab: number): number {
    return this.#classOf(slab)?.size ?? 0;
  }

  /** A slab with so much room, or NO_SLAB. A batch grows by about what it has: many files may have one at a time. */
  #find(need: number, batchBytes: number): number {
    let least = 0;
    while (sizeOfClass(least) - SLAB_HEADER < need) least++;
    let wanted = least;
    while (sizeOfClass(wanted + 1) <= 2 * batchBytes) wanted++;
    for (let c = wanted; c >= least; c--) {
      const slab = this.#takeOf(c);
      if (slab !== NO_SLAB) return slab;
    }
    for (let c = wanted + 1; c < slabClasses.length; c++) {
      const slab = this.#takeOf(c);
      if (slab !== NO_SLAB) return slab;
    }
    return NO_SLAB;
  }

  #takeOf(slabClass: number): number {
    const slabs = this.#classes[slabClass];
    if (slabs === undefined) return NO_SLAB;
    const used = slabs.used.pop();
    if (used !== undefined) return used;
    if (slabs.unused >= slabs.end) return NO_SLAB;
    const slab = slabs.unused;
    slabs.unused += slabs.size;
    return slab;
  }

  #classOf(slab: number): SlabClass | undefined {
    return this.#classes.find(({ end }) => slab < end);
  }
}

function classesOf({ buffer }: Arena): SlabClass[] {
  let end = 0;
  return slabClasses.map(({ size, share }) => {
    const unused = end;
    end += buffer.byteLength * share;
    return { size, used: [], unused, end };
  });
}

function sizeOfClass(slabClass: number): number {
  return slabClasses[slabClass]?.size ?? Number.POSITIVE_INFINITY;
}
