/** The memory in which calls wait for their commit: the arena's slabs, blocks beside them, and how much is in use. */
import { NO_SLAB, SLAB_FLAGS } from '../../protocol/slabs.ts';
import { BlockPool } from './block-pool.ts';
import { SlabPool } from './slab-pool.ts';

export class PendingMemory {
  /** Capacity of all slabs in use and size of all attachments: what waits for its commit. */
  pendingBytes = 0;
  readonly blocks: BlockPool;
  readonly arena: SharedArrayBuffer;
  /** The arena as 32-bit cells, bytes, doubles and text. */
  readonly cells: Int32Array;
  readonly bytes: Uint8Array;
  readonly doubles: Float64Array;
  readonly text: Buffer;
  readonly #slabs: SlabPool;

  constructor(pendingBytes: number, onLetGo: (bytes: number) => void) {
    this.blocks = new BlockPool(onLetGo);
    this.#slabs = new SlabPool(pendingBytes);
    const { arena } = this.#slabs;
    this.arena = arena;
    this.cells = new Int32Array(arena);
    this.bytes = new Uint8Array(arena);
    this.doubles = new Float64Array(arena);
    this.text = Buffer.from(arena);
  }

  // ---- slabs ------------------------------------------------------------------------------------

  /** A slab for an entry of so many bytes, for a batch that has so many; NO_SLAB if too much is pending. */
  takeSlab(need: number, batchBytes: number, mostPending: number): number {
    if (this.pendingBytes >= mostPending) return NO_SLAB;
    const slab = this.#slabs.take(need, batchBytes);
    if (slab !== NO_SLAB) this.pendingBytes += this.#slabs.sizeOf(slab);
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
    this.pendingBytes -= this.#slabs.sizeOf(slab);
    this.#slabs.giveBack(slab);
  }

  startOf(slab: number): number {
    return this.#slabs.startOf(slab);
  }

  sizeOf(slab: number): number {
    return this.#slabs.sizeOf(slab);
  }

  // ---- what lies in them ------------------------------------------------------------------------

  cell(index: number): number {
    return this.cells[index] ?? 0;
  }

  /** The flags of a batch, by its first slab. */
  flagsOf(slab: number): number {
    return this.cell((this.startOf(slab) >> 2) + SLAB_FLAGS);
  }

  setFlag(slab: number, flag: number): void {
    this.cells[(this.startOf(slab) >> 2) + SLAB_FLAGS] = this.flagsOf(slab) | flag;
  }

  outcomeAt(entry: number): number {
    return (this.cell(entry >> 2) >> 8) & 0xff;
  }

  setOutcome(entry: number, outcome: number): void {
    const cell = entry >> 2;
    this.cells[cell] = (this.cell(cell) & ~0xff00) | (outcome << 8);
  }
}
