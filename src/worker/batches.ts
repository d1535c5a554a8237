/** Batches that wait are carried out in one transaction; if it fails, each by itself, and at last each of its promises. */
import type { Arena } from '../protocol/arena.ts';
import { reached } from '../protocol/control.ts';
import type { Delays } from '../protocol/delays.ts';
import { FIRST_ERROR } from '../protocol/entries.ts';
import type { Settlers } from '../protocol/error-board.ts';
import { errorCodes, type ReportedCause, type SDS_PersistenceErrorCode } from '../protocol/errors.ts';
import {
  BATCH_FAILED,
  BATCH_ONE_BY_ONE,
  NO_SLAB,
  SLAB_DONE,
  SLAB_FLAGS,
  SLAB_NEXT,
  SLAB_SEALED,
  SLAB_USED,
  usedOf,
} from '../protocol/slabs.ts';
import { performance } from '../protocol/surroundings.ts';
import { noteOutcome } from './behind-a-save.ts';
import { BatchReader } from './channel/batch-reader.ts';
import type { ReceivedBytes } from './channel/received-bytes.ts';
import { type CommitPoint, type Engine, EngineError, type Member, WHOLE, type Writes } from './engine.ts';
import { patiently, type Wait, type WaitedInVain } from './patience.ts';

/** What a file needs of the worker around it. */
export interface FileHost {
  readonly arena: Arena;
  readonly members: ReadonlyMap<number, Member>;
  readonly commitPoints: Int32Array;
  /** Something is finished. */
  progressed(): void;
  /** A task that waited for a promise can go on. */
  resumed(): void;
  /** Something failed: the main side is told at once, and what of. */
  report(file: number, number: number, which: Settlers, outcome: number, cause: ReportedCause): void;
}

export interface GatheredBatch {
  number: number;
  firstSlab: number;
  /** When its first call was made, as in `clock.ts`. */
  askedAt: number;
  /** Of one that is a large write. */
  large?: ReceivedBytes;
}

/** Those that are committed together. */
export type Together = [GatheredBatch, ...GatheredBatch[]];

/** Trouble of the whole file: each single call would only meet it again. */
const wholesale: readonly SDS_PersistenceErrorCode[] = [
  'database-busy',
  'open-failed',
  'schema-mismatch',
  'read-only',
  'connection-failed',
];

/**
 * What so many stores have waited for in vain is a lock on all that there is: a thousand more would fail one after the other. After so
 * many calls, those of a store that has waited in vain are not tried any more.
 */
const MOST_APART = 50;

/** What is carried out promise by promise, or load by load, lets other files have their turn after so long. */
export const TURN_MS = 5;

export class Batches {
  readonly #file: number;
  readonly #engine: Engine;
  readonly #host: FileHost;
  readonly #delays: Delays;
  readonly #inVain: WaitedInVain;
  /** How many more calls may wait by themselves in vain of those that have waited together in vain. */
  #apartLeft = 0;
  /** The stores of which some have, each with the last failure. */
  readonly #stuck = new Map<string, EngineError>();

  constructor(file: number, engine: Engine, host: FileHost, delays: Delays, inVain: WaitedInVain) {
    this.#file = file;
    this.#engine = engine;
    this.#host = host;
    this.#delays = delays;
    this.#inVain = inVain;
  }

  /**
   * Seals a batch: nothing is added to it from now on. Returns the bytes of one of one slab that nobody has
   * begun to carry out; of any other, and of a large write, infinitely many.
   */
  seal({ firstSlab, large }: GatheredBatch): number {
    const { arena } = this.#host;
    const cell = firstSlab >> 2;
    const small =
      large === undefined && arena.cell(cell + SLAB_NEXT) === NO_SLAB && arena.cell(cell + SLAB_FLAGS) === 0;
    const used = usedOf(Atomics.or(arena.cells, cell + SLAB_USED, SLAB_SEALED));
    return small ? used : Number.POSITIVE_INFINITY;
  }

  /** Carries them out; whatever is thrown by that is a failure of theirs. */
  run(batches: Together): Generator<Wait, void, unknown> {
    this.#apartLeft = MOST_APART;
    this.#stuck.clear();
    return this.#runGuarded(batches);
  }

  *#runGuarded(batches: Together, doubt?: EngineError): Generator<Wait, void, unknown> {
    try {
      yield* this.#run(batches, doubt);
    } catch (error) {
      this.#fail(batches, EngineError.of(error, 'io-error'));
    }
  }

  /**
   * Batches in one transaction; if that fails, each by itself, and at last each of its promises.
   *
   * @param doubt - what the commit failed with of a transaction that they were part of, if they may be stored all the same
   */
  *#run(batches: Together, doubt: EngineError | undefined): Generator<Wait, void, unknown> {
    const { arena, members } = this.#host;
    const slabs = batches.map(({ firstSlab }) => firstSlab);
    const [first] = batches;
    const calls = new BatchReader(arena, slabs, members, first.large);
    const done = arena.cell((first.firstSlab >> 2) + SLAB_DONE);
    // a worker was lost before it was done: what is not dealt with is tried anew, each promise as a whole
    if (done > 0 || calls.hasFlag(BATCH_FAILED)) calls.goOnBehind(done, first.number);
    if (!calls.hasFlag(BATCH_ONE_BY_ONE) && this.#apartLeft > 0 && doubt === undefined) {
      const { number } = batches.at(-1) ?? first;
      const published = { cells: this.#host.commitPoints, index: this.#file, value: number };
      const error = yield* this.#transact(() => calls.attempt(), published, batches);
      if (error === undefined) return this.#ended(batches);
      if (first.large !== undefined || this.#isOfAll(error, first)) return this.#fail(batches, error);
      if (batches.length > 1 || error.mayBeStored) {
        for (const batch of batches) yield* this.#runGuarded([batch], error.mayBeStored ? error : undefined);
        return;
      }
    }
    yield* this.#runOneByOne(first, calls, doubt);
    this.#dealtWith(first.number);
    this.#ended(batches);
  }

  #isOfAll(error: EngineError, { askedAt }: GatheredBatch, store?: string): boolean {
    return wholesale.includes(error.code) && !error.onlyOfSome && !this.#mayBeOfSome(error, askedAt, store);
  }

  /** What one of them waits for in vain must not fail the others. All have waited by then, so each has a moment by itself. */
  #mayBeOfSome(error: EngineError, askedAt: number, store?: string): boolean {
    if (!error.mayBeOfSome || this.#stuck.size === MOST_APART) return false;
    if (store !== undefined) this.#stuck.set(store, error);
    this.#apartLeft--;
    this.#inVain.hasWaited(Number.POSITIVE_INFINITY);
    this.#engine.taskBegins?.(askedAt, this.#inVain.leftMs);
    return true;
  }

  /** Ends batches by an error that nobody has dealt with; those that are finished already keep their result. */
  #fail(batches: readonly GatheredBatch[], error: EngineError): void {
    for (const { number, firstSlab } of batches) {
      if (reached(Atomics.load(this.#host.commitPoints, this.#file), number)) continue;
      this.#failAll(number, firstSlab, error);
      this.#dealtWith(number);
    }
    this.#ended(batches);
  }

  /** Publishes the end of what has failed, as a whole or in part; that of what was committed is published by its engine. */
  #dealtWith(number: number): void {
    Atomics.store(this.#host.commitPoints, this.#file, number);
  }

  /** Tells of it; also by an answer, if it is a large write, which is carried out by itself. */
  #ended(batches: readonly GatheredBatch[]): void {
    const large = batches[0]?.large;
    large?.free();
    this.#host.progressed();
    large?.answer();
  }

  /**
   * The batch failed as a whole, so that each promise gets its own attempt and a bad call fails
   * alone. Patches that share a promise share their fate. With each commit, the number of promises
   * dealt with is published, so that a new worker goes on behind them. Other files have their turn in between.
   * Whatever is stored already may be stored again, but a reference would be counted twice, and a value be deleted that another one needs.
   */
  *#runOneByOne(
    batch: GatheredBatch,
    calls: BatchReader,
    doubt: EngineError | undefined,
  ): Generator<Wait, void, unknown> {
    const { number, firstSlab } = batch;
    const { cells } = this.#host.arena;
    const doneAt = (firstSlab >> 2) + SLAB_DONE;
    const alreadyDone = cells[doneAt] ?? 0;
    /** Where the calls of each promise lie, so that none has to be looked for among those of the others. */
    const settlers = new Map<number, { store: string; entries: number[]; isReference: boolean }>();
    calls.flag(BATCH_ONE_BY_ONE);
    calls.rewind();
    while (calls.next()) {
      if (calls.settler < alreadyDone) continue;
      const found = settlers.get(calls.settler);
      const isReference = calls.operation === 'saveValue' || calls.operation === 'releaseValue';
      if (found === undefined)
        settlers.set(calls.settler, { store: calls.member.storeId, entries: [calls.at], isReference });
      else found.entries.push(calls.at);
    }
    // settlers are numbered in the order of the first call of each, and that is the order here
    let turnEnds = performance.now() + TURN_MS;
    for (const [settler, { store, entries, isReference }] of settlers) {
      if (performance.now() >= turnEnds) {
        yield 0;
        turnEnds = performance.now() + TURN_MS;
      }
      const part = settler + 1;
      const published = { cells, index: doneAt, value: part };
      const stuck = this.#apartLeft > 0 ? undefined : this.#stuck.get(store);
      const known = stuck ?? (isReference ? doubt : undefined);
      const error = known ?? (yield* this.#transact(() => calls.attempt(entries), published, [batch], part));
      if (error?.code !== 'database-busy') this.#host.progressed(); // else whoever is blocked would take so many commits for none
      if (error === undefined) continue;
      if (this.#isOfAll(error, batch, store)) return this.#failAll(number, firstSlab, error);
      this.#failAll(number, firstSlab, error, settler, entries);
      // only then: a new worker takes back what failed behind this, and would find the rest on a server's record
      cells[doneAt] = part;
    }
  }

  *#transact(
    attempt: () => Writes,
    published: Pick<CommitPoint, 'cells' | 'index' | 'value'>,
    batches: Together,
    part = WHOLE,
  ): Generator<Wait, EngineError | undefined, unknown> {
    const [{ number: first }] = batches;
    const askedAt = batches.map((batch) => batch.askedAt);
    const { number } = batches.at(-1) ?? batches[0];
    const point = { ...published, number, first, part, askedAt, delays: this.#delays };
    // what is thrown after a commit is published is no failure of its writes: they are stored, and may have been told so
    const isPublished = () => point.cells[point.index] === point.value;
    try {
      const tryOnce = () => (isPublished() ? undefined : this.#engine.transact(attempt(), point));
      yield* patiently(tryOnce, this.#inVain);
      return undefined;
    } catch (error) {
      return isPublished() ? undefined : EngineError.of(error, 'io-error');
    }
  }

  /** @param entries - the calls of a single promise */
  #failAll(number: number, firstSlab: number, error: EngineError, which: Settlers = 'all', entries?: number[]): void {
    const { arena, members } = this.#host;
    const outcome = FIRST_ERROR + errorCodes.indexOf(error.code);
    this.#host.report(this.#file, number, which, outcome, error.reported);
    const calls = new BatchReader(arena, [firstSlab], members);
    const done = arena.cell((firstSlab >> 2) + SLAB_DONE);
    calls.flag(BATCH_FAILED); // first: if the worker is lost in between, no failure is overlooked
    calls.rewind(entries);
    while (calls.next()) {
      if (calls.settler < done) continue;
      calls.setOutcome(outcome);
      if (noteOutcome(calls, error, number)) calls.markWithoutEffect(calls.at);
    }
  }
}
