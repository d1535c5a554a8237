/** Writes calls into the slabs of the open batch: a header and the bytes, with no object for each. */
import {
  ENTRY_CLOCK,
  ENTRY_DATA_LENGTH,
  ENTRY_HEADER,
  ENTRY_HEARD,
  ENTRY_KEY_LENGTH,
  ENTRY_MEMBER,
  ENTRY_SETTLER,
  entryBytes,
  type WriteOperation,
  withFlags,
  writeOperations,
} from '../../protocol/entries.ts';
import { NO_SLAB, SLAB_DONE, SLAB_FLAGS, SLAB_HEADER, SLAB_NEXT, SLAB_USED } from '../../protocol/slabs.ts';
import type { PendingMemory } from '../memory/pending-memory.ts';
import type { Batch } from './batch.ts';

export class BatchWriter {
  readonly #memory: PendingMemory;
  /** Where the next entry goes, and where the current slab begins and ends, as bytes of the arena. */
  #at = 0;
  #end = 0;
  #slabStart = 0;
  /** Whether the worker may seal the slab at any moment. */
  #shared = false;

  constructor(memory: PendingMemory) {
    this.#memory = memory;
  }

  hasRoom(need: number): boolean {
    return this.#at + need <= this.#end;
  }

  /** Goes on in another slab: the first one of a batch, or the next. */
  enter(slab: number, batch: Batch): void {
    const memory = this.#memory;
    if (batch.slabs.length > 0) this.#leaveSlab(slab);
    const size = memory.sizeOf(slab);
    batch.slabs.push(slab);
    batch.bytes += size;
    memory.arena.cells[(slab >> 2) + SLAB_FLAGS] = 0;
    memory.arena.cells[(slab >> 2) + SLAB_DONE] = 0;
    this.#slabStart = slab;
    this.#at = slab + SLAB_HEADER;
    this.#end = slab + size;
  }

  #leaveSlab(next: number): void {
    const cell = this.#slabStart >> 2;
    this.#memory.arena.cells[cell + SLAB_USED] = this.#at - this.#slabStart;
    this.#memory.arena.cells[cell + SLAB_NEXT] = next;
  }

  /** The batch, of one slab, is about to be sent, and more may be added until the worker seals it. */
  share(): void {
    this.#leaveSlab(NO_SLAB);
    this.#shared = true;
  }

  complete(): void {
    if (!this.#shared) this.#leaveSlab(NO_SLAB);
    this.#shared = false;
  }

  /** Writes a call for which there is room. False if the worker has sealed the batch: it is not part of that. */
  write(
    operation: WriteOperation,
    flags: number,
    member: number,
    settler: number,
    clock: number,
    data: Uint8Array | undefined,
    length: number,
    key: string,
    keyLength: number,
    heard = 0,
  ): boolean {
    const at = this.#at;
    const next = at + entryBytes(keyLength, length);
    const { cells, doubles, bytes } = this.#memory.arena;
    const cell = at >> 2;
    const code = operation === 'appendPatch' ? 0 : writeOperations.indexOf(operation); // nearly all are patches
    cells[cell] = withFlags(code, flags);
    cells[cell + ENTRY_MEMBER] = member;
    cells[cell + ENTRY_KEY_LENGTH] = keyLength;
    cells[cell + ENTRY_DATA_LENGTH] = length;
    cells[cell + ENTRY_SETTLER] = settler;
    cells[cell + ENTRY_HEARD] = heard;
    doubles[(at >> 3) + ENTRY_CLOCK] = clock;
    if (keyLength > 0) bytes.write(key, at + ENTRY_HEADER, keyLength, 'utf8');
    if (data !== undefined) bytes.set(data, at + ENTRY_HEADER + keyLength);
    if (this.#shared) {
      const used = at - this.#slabStart;
      const found = Atomics.compareExchange(cells, (this.#slabStart >> 2) + SLAB_USED, used, next - this.#slabStart);
      if (found !== used) return false;
    }
    this.#at = next;
    return true;
  }
}
