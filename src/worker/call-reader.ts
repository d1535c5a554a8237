/** Reads the calls of a batch where they lie, in the slabs of the arena, without an object for each. */
import { ENTRY_COLLIDED, ENTRY_HEADER, entryBytes, FIRST_READ, OUTCOME_OPEN } from '../protocol/entries.ts';
import type { Attachment } from '../protocol/service.ts';
import {
  type ArenaLayout,
  BATCH_COLLIDED,
  NO_SLAB,
  SLAB_FLAGS,
  SLAB_HEADER,
  SLAB_NEXT,
  SLAB_USED,
} from '../protocol/slabs.ts';

/** The arena, as this side sees it. */
export class Arena {
  readonly buffer: SharedArrayBuffer;
  readonly cells: Int32Array;
  readonly doubles: Float64Array;
  readonly text: Buffer;
  readonly layout: ArenaLayout;

  constructor(buffer: SharedArrayBuffer, layout: ArenaLayout) {
    this.buffer = buffer;
    this.cells = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
    this.text = Buffer.from(buffer);
    this.layout = layout;
  }

  cell(index: number): number {
    return this.cells[index] ?? 0;
  }

  startOf(slab: number): number {
    return this.layout.starts[slab] ?? 0;
  }
}

/** What the database has to know of the provider behind a call. */
export interface Caller {
  storeId: string;
  keepCollisions: boolean;
  verifyValues: boolean;
}

const nobody: Caller = { storeId: '', keepCollisions: false, verifyValues: false };

/** A cursor over a batch: `next()` moves to a call, whose parts are then in the fields. */
export class CallReader {
  /** Start of the call's entry in the arena. */
  at = 0;
  operation = 0;
  settler = 0;
  clock = 0;
  caller: Caller = nobody;

  readonly #arena: Arena;
  readonly #firstSlab: number;
  readonly #attachments: readonly (Attachment | undefined)[];
  readonly #callers: ReadonlyMap<number, Caller>;
  #only: number | 'reads' | 'writes' | 'all' = 'all';
  #slab = NO_SLAB;
  #following = 0;
  #end = 0;
  #keyLength = 0;
  #dataLength = 0;
  #callerId = -1;

  constructor(
    arena: Arena,
    firstSlab: number,
    attachments: readonly (Attachment | undefined)[],
    callers: ReadonlyMap<number, Caller>,
  ) {
    this.#arena = arena;
    this.#firstSlab = firstSlab;
    this.#attachments = attachments;
    this.#callers = callers;
  }

  /** Starts over: at all calls without an outcome, or those of one promise, the reads, or the writes. */
  rewind(only: number | 'reads' | 'writes' | 'all' = 'all'): this {
    this.#only = only;
    this.#enter(this.#firstSlab);
    return this;
  }

  #enter(slab: number): void {
    this.#slab = slab;
    if (slab === NO_SLAB) return;
    const start = this.#arena.startOf(slab);
    this.#following = start + SLAB_HEADER;
    this.#end = start + this.#arena.cell((start >> 2) + SLAB_USED);
  }

  next(): boolean {
    const arena = this.#arena;
    while (this.#slab !== NO_SLAB) {
      if (this.#following >= this.#end) {
        this.#enter(arena.cell((arena.startOf(this.#slab) >> 2) + SLAB_NEXT));
        continue;
      }
      const at = this.#following;
      const cell = at >> 2;
      const word = arena.cell(cell);
      const keyLength = arena.cell(cell + 2);
      const dataLength = arena.cell(cell + 3);
      this.#following = at + entryBytes(keyLength, Math.max(dataLength, 0));
      const operation = word & 0xff;
      const settler = arena.cell(cell + 4);
      if (((word >> 8) & 0xff) !== OUTCOME_OPEN) continue; // done, or refused, before a worker was lost
      if (this.#only !== 'all' && !this.#isWanted(settler, operation)) continue;
      this.at = at;
      this.operation = operation;
      this.settler = settler;
      this.#keyLength = keyLength;
      this.#dataLength = dataLength;
      this.clock = arena.doubles[(at >> 3) + 3] ?? 0;
      const callerId = arena.cell(cell + 1);
      if (callerId !== this.#callerId) {
        this.#callerId = callerId;
        this.caller = this.#callers.get(callerId) ?? nobody;
      }
      return true;
    }
    return false;
  }

  #isWanted(settler: number, operation: number): boolean {
    if (typeof this.#only === 'number') return settler === this.#only;
    return (this.#only === 'reads') === operation >= FIRST_READ;
  }

  /** The key of the present call. */
  get key(): string {
    const start = this.at + ENTRY_HEADER;
    return this.#arena.text.toString('utf8', start, start + this.#keyLength);
  }

  /** The bytes of the present call: a view of the arena, or of what travelled beside it. */
  get data(): Uint8Array {
    if (this.#dataLength >= 0) {
      return new Uint8Array(this.#arena.buffer, this.at + ENTRY_HEADER + this.#keyLength, this.#dataLength);
    }
    const attachment = this.#attachments[-1 - this.#dataLength];
    if (attachment === undefined) throw new Error('an attachment is missing');
    return new Uint8Array(attachment.buffer, attachment.start, attachment.length);
  }

  /** Marks a patch that was ignored although the one under its number is another. */
  markCollided(at: number): void {
    const cell = at >> 2;
    this.#arena.cells[cell] = this.#arena.cell(cell) | (ENTRY_COLLIDED << 16);
    this.flag(BATCH_COLLIDED);
  }

  /** Sets a flag of the batch. Only before its commit: after that the slab may be used anew. */
  flag(flag: number): void {
    const flagsAt = (this.#arena.startOf(this.#firstSlab) >> 2) + SLAB_FLAGS;
    this.#arena.cells[flagsAt] = this.#arena.cell(flagsAt) | flag;
  }

  unmarkCollided(at: number): void {
    const cell = at >> 2;
    this.#arena.cells[cell] = this.#arena.cell(cell) & ~(ENTRY_COLLIDED << 16);
  }
}
