/** The memory in which calls wait for their commit: the arena's slabs, blocks beside them, and how much is in use. */

import type { Arena } from '../../protocol/arena.ts';
import { accountForAtOnce } from '../../protocol/gc-pressure.ts';
import { NO_SLAB } from '../../protocol/slabs.ts';
import { BlockPool } from './block-pool.ts';
import { SlabPool } from './slab-pool.ts';

/** With no more than this an arena may stay as it is. */
const SWOLLEN_BYTES = 4 * 1024 * 1024;

export class PendingMemory {
  /** Capacity of all slabs in use and size of all attachments: what waits for its commit. */
  pendingBytes = 0;
  readonly blocks: BlockPool;
  #slabs: SlabPool;
  /** Capacity of the slabs in use, and the most of it in this arena: about so much of it was written to. */
  #slabBytes = 0;
  #mostSlabBytes = 0;

  constructor(pendingBytes: number, onLetGo: (bytes: number) => void) {
    this.blocks = new BlockPool(onLetGo);
    this.#slabs = new SlabPool(pendingBytes);
  }

  get arena(): Arena {
    return this.#slabs.arena;
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
      this.#slabs = new SlabPool(byteLength);
    } catch {
      return undefined; // no address space for two: the old one goes on serving
    }
    accountForAtOnce(byteLength);
    return this.arena.buffer;
  }

  /** A slab for an entry of so many bytes, for a batch that has so many; NO_SLAB if too much is pending. */
  takeSlab(need: number, batchBytes: number, mostPending: number): number {
    if (this.pendingBytes >= mostPending) return NO_SLAB;
    const slab = this.#slabs.take(need, batchBytes);
    if (slab === NO_SLAB) return slab;
    const size = this.#slabs.sizeOf(slab);
    this.pendingBytes += size;
    this.#slabBytes += size;
    if (this.#slabBytes > this.#mostSlabBytes) this.#mostSlabBytes = this.#slabBytes;
    return slab;
  }

  hasRoom(need: number, mostPending: number): boolean {
    if (this.pendingBytes >= mostPending) return false;
    const slab = this.#slabs.take(need, 0);
    if (slab === NO_SLAB) return false;
    this.#slabs.giveBack(slab);
    return true;
  }

  giveBackSlab(slab: number): void {
    const size = this.#slabs.sizeOf(slab);
    this.pendingBytes -= size;
    this.#slabBytes -= size;
    this.#slabs.giveBack(slab);
  }

  sizeOf(slab: number): number {
    return this.#slabs.sizeOf(slab);
  }
}
