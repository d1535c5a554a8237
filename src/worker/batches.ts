/**
 * How gathered batches are carried out: those that wait for each other in one transaction; if that fails, each by
 * itself, and at last each of its promises, so that a bad call fails alone.
 */
import type { Arena } from '../protocol/arena.ts';
import type { SDS_PersistenceErrorCode } from '../protocol/errors.ts';
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
import { Promise } from '../protocol/surroundings.ts';
import { noteSnapshot } from './behind-a-snapshot.ts';
import { noteFailure } from './behind-a-value.ts';
import { BatchReader } from './channel/batch-reader.ts';
import {
  type Caller,
  type CommitPoint,
  commit,
  type Engine,
  type EngineError,
  type MaybePromise,
  type Writes,
} from './engine.ts';
import type { Outcomes } from './outcomes.ts';
import type { Wait } from './patience.ts';

export interface GatheredBatch {
  number: number;
  firstSlab: number;
  /** When its first call was made, as in `clock.ts`. */
  askedAt: number;
}

/** Trouble of the whole file: each single call would only meet it again. */
const wholesale: readonly SDS_PersistenceErrorCode[] = [
  'database-busy',
  'open-failed',
  'schema-mismatch',
  'read-only',
  'connection-failed',
];

/** What they need of the worker around them. */
export interface BatchesHost {
  readonly arena: Arena;
  readonly members: ReadonlyMap<number, Caller>;
  /** Something is finished; by an answer the main side hears of it anyway. */
  progressed(answered: boolean): void;
}

export type Patiently = (attempt: () => MaybePromise<unknown>) => Generator<Wait, EngineError | undefined, unknown>;

export class Batches {
  readonly #engine: Engine;
  readonly #host: BatchesHost;
  readonly #outcomes: Outcomes;
  readonly #patiently: Patiently;

  /** @param patiently - tries again while another process has the file */
  constructor(engine: Engine, host: BatchesHost, outcomes: Outcomes, patiently: Patiently) {
    this.#engine = engine;
    this.#host = host;
    this.#outcomes = outcomes;
    this.#patiently = patiently;
  }

  /**
   * Seals a batch: nothing is added to it from now on. Returns the bytes of one of one slab that nobody has
   * begun to carry out; of any other, infinitely many.
   */
  seal({ firstSlab }: GatheredBatch): number {
    const { arena } = this.#host;
    const cell = firstSlab >> 2;
    const small = arena.cell(cell + SLAB_NEXT) === NO_SLAB && arena.cell(cell + SLAB_FLAGS) === 0;
    const used = usedOf(Atomics.or(arena.cells, cell + SLAB_USED, SLAB_SEALED));
    return small ? used : Number.POSITIVE_INFINITY;
  }

  /** Tries to commit batches here and now; returns what is left to do, if that takes patience, or fails. */
  runAtOnce(batches: readonly GatheredBatch[]): Generator<Wait, void, unknown> | undefined {
    const { arena, members } = this.#host;
    const calls = new BatchReader(
      arena,
      batches.map(({ firstSlab }) => firstSlab),
      members,
    );
    const [first] = batches;
    const done = first === undefined ? 0 : (arena.cell((first.firstSlab >> 2) + SLAB_DONE) ?? 0);
    if (done > 0) calls.recallSnapshots(done);
    // a worker was lost while it noted failures: what is not dealt with is tried anew, each promise as a whole
    if (first !== undefined && calls.hasFlag(BATCH_FAILED)) {
      calls.reopen(arena.cell((first.firstSlab >> 2) + SLAB_DONE));
    }
    if (first !== undefined && calls.hasFlag(BATCH_ONE_BY_ONE)) return this.#runAlone(first);
    const point = this.#pointOf(batches);
    const attempt = () => commit(this.#engine, calls.attempt(), point);
    let result: MaybePromise<void>;
    try {
      result = attempt();
    } catch (error) {
      return this.#runPatiently(
        batches,
        onceThen(() => {
          throw error;
        }, attempt),
      );
    }
    if (result instanceof Promise)
      return this.#runPatiently(
        batches,
        onceThen(() => result, attempt),
      );
    this.#host.progressed(false);
    return undefined;
  }

  /** Batches in one transaction; if that fails, each by itself, and at last each of its promises. */
  *#runPatiently(batches: readonly GatheredBatch[], attempt: () => MaybePromise<void>): Generator<Wait, void, unknown> {
    const error = yield* this.#patiently(attempt);
    if (error === undefined) {
      this.#host.progressed(false);
    } else if (wholesale.includes(error.code) && !error.onlyOfSome) {
      this.fail(batches, error);
    } else {
      for (const batch of batches) yield* this.#runAlone(batch, batches.length === 1);
    }
  }

  /** Ends batches by an error that nobody has dealt with; those that are finished already keep their result. */
  fail(batches: readonly GatheredBatch[], error: EngineError): void {
    for (const { number, firstSlab } of batches) {
      if (this.#outcomes.isDealtWith(number)) continue;
      this.#failAll(number, firstSlab, 'all', error);
      this.#outcomes.dealtWith(number);
    }
    this.#host.progressed(false);
  }

  /** Of several batches that are committed together. */
  #pointOf(batches: readonly GatheredBatch[]): CommitPoint {
    const askedAt = batches.map((batch) => batch.askedAt);
    return this.#outcomes.point(batches[0]?.number ?? 0, batches.at(-1)?.number ?? 0, askedAt);
  }

  /** One batch: as a whole, unless that has failed, and then promise by promise. */
  *#runAlone(batch: GatheredBatch, hasFailed = false): Generator<Wait, void, unknown> {
    const { number, firstSlab } = batch;
    const { arena, members } = this.#host;
    const calls = new BatchReader(arena, [firstSlab], members);
    if (!hasFailed && !calls.hasFlag(BATCH_ONE_BY_ONE)) {
      const batches = [batch];
      const point = this.#pointOf(batches);
      yield* this.#runPatiently(batches, () => commit(this.#engine, calls.attempt(), point));
      return;
    }
    calls.flag(BATCH_ONE_BY_ONE);
    yield* this.#runOneByOne(batch, calls);
    this.#outcomes.dealtWith(number);
    this.#host.progressed(false);
  }

  /**
   * The batch failed as a whole, so that each promise gets its own attempt and a bad call fails
   * alone. Patches that share a promise share their fate. With each commit, the number of promises
   * dealt with is published, so that a new worker goes on behind them.
   */
  *#runOneByOne({ number, firstSlab, askedAt }: GatheredBatch, calls: BatchReader): Generator<Wait, void, unknown> {
    const { arena } = this.#host;
    const { cells } = arena;
    const { delays } = this.#outcomes;
    const doneAt = (firstSlab >> 2) + SLAB_DONE;
    const alreadyDone = cells[doneAt] ?? 0;
    const settlers = new Set<number>();
    calls.rewind();
    while (calls.next()) if (calls.settler >= alreadyDone) settlers.add(calls.settler);
    // settlers are numbered in the order of the first call of each, and that is the order here
    for (const settler of settlers) {
      const part = settler + 1;
      const point = { cells, index: doneAt, value: part, number, first: number, part, askedAt: [askedAt], delays };
      const error = yield* this.#transact(() => calls.attempt(settler), point);
      if (error === undefined) continue;
      this.#failAll(number, firstSlab, settler, error);
      // only then: a new worker takes back what failed behind this, and would find the rest on a server's record
      cells[doneAt] = part;
    }
  }

  #transact(attempt: () => Writes, commitPoint: CommitPoint): Generator<Wait, EngineError | undefined, unknown> {
    return this.#patiently(() => commit(this.#engine, attempt(), commitPoint));
  }

  #failAll(number: number, firstSlab: number, which: number | 'all', error: EngineError): void {
    const outcome = this.#outcomes.report(number, which, error);
    const { arena, members } = this.#host;
    const calls = new BatchReader(arena, [firstSlab], members);
    const done = arena.cell((firstSlab >> 2) + SLAB_DONE);
    calls.flag(BATCH_FAILED); // first: if the worker is lost in between, no failure is overlooked
    calls.rewind(which);
    while (calls.next()) {
      if (calls.settler < done) continue;
      calls.fail(outcome);
      noteSnapshot(calls.operation, calls.caller, error);
      noteFailure(calls, error);
    }
  }
}

/** Calls one function the first time, and the other one from then on. */
function onceThen<T>(first: () => T, later: () => T): () => T {
  let next = first;
  return () => {
    const now = next;
    next = later;
    return now();
  };
}
