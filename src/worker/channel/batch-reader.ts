/** Reads the writes of one or several batches where they lie, in the slabs of the arena, without an object for each. */
import type { Arena } from '../../protocol/arena.ts';
import {
  ENTRY_ACKNOWLEDGED,
  ENTRY_CLOCK,
  ENTRY_DATA_LENGTH,
  ENTRY_HEADER,
  ENTRY_HEARD,
  ENTRY_KEEPS_BOTH,
  ENTRY_KEY_LENGTH,
  ENTRY_MEMBER,
  ENTRY_NO_EFFECT,
  ENTRY_SETTLER,
  entryBytes,
  FIRST_ERROR,
  flagsOf,
  OUTCOME_OPEN,
  operationOf,
  outcomeOf,
  type WriteOperation,
  withFlags,
  withOutcome,
} from '../../protocol/entries.ts';
import { errorCodes } from '../../protocol/errors.ts';
import {
  BATCH_LOST,
  BATCH_NO_EFFECT,
  LOST_CODE_SHIFT,
  NO_SLAB,
  SLAB_FLAGS,
  SLAB_HEADER,
  SLAB_NEXT,
  SLAB_USED,
  usedOf,
} from '../../protocol/slabs.ts';
import { noteOutcome, refuseUnfounded } from '../behind-a-save.ts';
import { EngineError, type Member, type Writes } from '../engine.ts';
import { refuseFalseValue } from '../verify-value.ts';
import type { ReceivedBytes } from './received-bytes.ts';

export class BatchReader implements Writes {
  /** Start of the call's entry in the arena. */
  at = 0;
  operation: WriteOperation = 'appendPatch';
  #flags = 0;
  #outcome = OUTCOME_OPEN;
  settler = 0;
  clock = 0;
  heard = 0;
  member!: Member;

  readonly #arena: Arena;
  /** The first slab of each batch; of several batches, each has just that one. */
  readonly #firstSlabs: readonly number[];
  readonly #members: ReadonlyMap<number, Member>;
  /** Those of the only call, if they are not in the arena. */
  readonly #large: ReceivedBytes | undefined;
  /** Only these entries, if given, and the position in there of the one to read next. */
  #only: readonly number[] | undefined;
  #position = 0;
  /** Whether the calls are read to be carried out. */
  #carriesOut = false;
  #batch = 0;
  #slab = NO_SLAB;
  #following = 0;
  #end = 0;
  #keyLength = 0;
  #dataLength = 0;

  constructor(
    arena: Arena,
    firstSlabs: readonly number[],
    members: ReadonlyMap<number, Member>,
    large?: ReceivedBytes,
  ) {
    this.#arena = arena;
    this.#firstSlabs = firstSlabs;
    this.#members = members;
    this.#large = large;
  }

  /** Starts over: at all calls, or those in these entries. */
  rewind(only?: readonly number[]): void {
    this.#carriesOut = false;
    this.#only = only;
    this.#position = 0;
    this.#batch = 0;
    this.#enter(this.#firstSlabs[0] ?? NO_SLAB);
    if (only !== undefined) this.#end = 0; // goes on to the first of them
  }

  /** The same, to carry them out; `next` throws at one that must not be. */
  attempt(only?: readonly number[]): this {
    if (this.hasFlag(BATCH_LOST)) throw this.#lost;
    this.rewind(only);
    if (this.#firstSlabs.some((slab) => this.hasFlag(BATCH_NO_EFFECT, slab))) {
      // takes back what an attempt has marked that failed, or whose worker was lost before its commit
      while (this.next()) this.setOutcome(OUTCOME_OPEN);
      this.rewind(only);
    }
    this.#carriesOut = true;
    return this;
  }

  get #lost(): EngineError {
    const code = errorCodes[this.#flagsOf() >> LOST_CODE_SHIFT] ?? 'io-error';
    return new EngineError(code, { message: 'its bytes did not reach the worker thread' });
  }

  #enter(slab: number): void {
    this.#slab = slab;
    if (slab === NO_SLAB) return;
    this.#following = slab + SLAB_HEADER;
    this.#end = slab + usedOf(this.#arena.cell((slab >> 2) + SLAB_USED));
  }

  #leaveSlab(): void {
    if (this.#only !== undefined) {
      // each of these entries is read like a slab that ends with it
      const at = this.#only[this.#position++];
      if (at === undefined) this.#slab = NO_SLAB;
      else this.#following = at;
      this.#end = this.#following + 1;
      return;
    }
    const next = this.#arena.cell((this.#slab >> 2) + SLAB_NEXT);
    this.#enter(next !== NO_SLAB ? next : (this.#firstSlabs[++this.#batch] ?? NO_SLAB));
  }

  /**
   * Of a batch that a lost worker has begun to carry out promise by promise: takes back the failures behind the promises that are
   * dealt with; and notes what became of these, so that a prune or a release is judged as that worker would have judged it.
   */
  goOnBehind(done: number, number: number): void {
    this.rewind();
    while (this.next()) {
      if (this.settler >= done) {
        this.setOutcome(OUTCOME_OPEN);
        continue;
      }
      const code = errorCodes[this.#outcome - FIRST_ERROR];
      const message = 'it could not be stored by a worker thread that was lost after that';
      const failure = code && new EngineError(code, { message });
      // a release that is marked was refused
      const isRefused = (this.#flags & ENTRY_NO_EFFECT) !== 0;
      const refusal = isRefused ? this.member.failedSaves?.before(this.key, this.heard) : undefined;
      noteOutcome(this, failure && (refusal ?? failure), number);
    }
  }

  next(): boolean {
    const arena = this.#arena;
    while (this.#slab !== NO_SLAB) {
      if (this.#following >= this.#end) {
        this.#leaveSlab();
        continue;
      }
      const at = this.#following;
      const cell = at >> 2;
      const word = arena.cell(cell);
      const keyLength = arena.cell(cell + ENTRY_KEY_LENGTH);
      const dataLength = arena.cell(cell + ENTRY_DATA_LENGTH);
      this.#following = at + entryBytes(keyLength, dataLength);
      this.at = at;
      this.operation = operationOf(word);
      this.#outcome = outcomeOf(word);
      this.#flags = flagsOf(word);
      this.settler = arena.cell(cell + ENTRY_SETTLER);
      this.heard = arena.cell(cell + ENTRY_HEARD);
      this.#keyLength = keyLength;
      this.#dataLength = dataLength;
      this.clock = arena.doubles[(at >> 3) + ENTRY_CLOCK] ?? 0;
      const memberId = arena.cell(cell + ENTRY_MEMBER);
      const member = this.#members.get(memberId);
      if (member === undefined) throw new Error(`there is no provider ${memberId}`); // a fault of this program
      this.member = member;
      if (this.#carriesOut && this.operation !== 'appendPatch') {
        if (this.operation === 'saveSnapshot') this.member.snapshotFailure = undefined;
        refuseUnfounded(this);
        if (this.member.VerifyValues) refuseFalseValue(this);
      }
      return true;
    }
    return false;
  }

  get keepsBoth(): boolean {
    return (this.#flags & ENTRY_KEEPS_BOTH) !== 0;
  }

  get isAcknowledged(): boolean {
    return (this.#flags & ENTRY_ACKNOWLEDGED) !== 0;
  }

  get key(): string {
    const start = this.at + ENTRY_HEADER;
    return this.#arena.bytes.toString('utf8', start, start + this.#keyLength);
  }

  /** A view of the arena, where they are not large. */
  get data(): Uint8Array {
    if (this.#large !== undefined) return this.#large.data;
    return new Uint8Array(this.#arena.buffer, this.at + ENTRY_HEADER + this.#keyLength, this.#dataLength);
  }

  /** Of the present call. */
  setOutcome(outcome: number): void {
    const cell = this.at >> 2;
    this.#arena.cells[cell] = withOutcome(this.#arena.cell(cell), outcome);
  }

  /** All batches are looked through then: it is rare. */
  markWithoutEffect(at: number): void {
    const cell = at >> 2;
    this.#arena.cells[cell] = withFlags(this.#arena.cell(cell), ENTRY_NO_EFFECT);
    for (const slab of this.#firstSlabs) this.flag(BATCH_NO_EFFECT, slab);
  }

  /** Sets a flag of a batch, if not of another one then of the first. Only before its commit: after that the slab may be used anew. */
  flag(flag: number, slab = this.#firstSlabs[0] ?? 0): void {
    this.#arena.cells[(slab >> 2) + SLAB_FLAGS] = this.#flagsOf(slab) | flag;
  }

  hasFlag(flag: number, slab = this.#firstSlabs[0] ?? 0): boolean {
    return (this.#flagsOf(slab) & flag) !== 0;
  }

  #flagsOf(slab = this.#firstSlabs[0] ?? 0): number {
    return this.#arena.cell((slab >> 2) + SLAB_FLAGS);
  }
}
