/**
 * One database file as the worker sees it: its tasks in order, its engine, and the rules by which a
 * batch is carried out: in one transaction; waiting without blocking others while the file is
 * busy; call by call if it fails as a whole.
 */

import { FIRST_ERROR, FIRST_READ, OUTCOME_OPEN } from '../protocol/entries.ts';
import { errorCodes, type ReportedCause, type SDS_PersistenceErrorCode } from '../protocol/errors.ts';
import type { Attachment, ReadResult, Report } from '../protocol/service.ts';
import { BATCH_FAILED, BATCH_ONE_BY_ONE, SLAB_DONE, SLAB_FLAGS } from '../protocol/slabs.ts';
import { type Arena, type Caller, CallReader } from './call-reader.ts';
import { type CommitPoint, type Engine, EngineError, type MaybePromise } from './engine.ts';

/** A provider, with what concerns the whole file. */
export interface LaneMember extends Caller {
  full: boolean;
  busyTimeoutMs: number;
}

/** What a task waits for: a time at which to go on, or a promise. */
type Wait = number | Promise<unknown>;
type Task = () => Generator<Wait, void, unknown>;

/** Trouble of the whole file: each single call would only meet it again. */
const wholesale: readonly SDS_PersistenceErrorCode[] = ['database-busy', 'open-failed', 'schema-mismatch', 'read-only'];
/** Between attempts on a busy file. Short, since a busy writer leaves only short gaps. */
const FIRST_RETRY_MS = 0.5;
const LONGEST_RETRY_MS = 5;

/** What a lane tells the rest of the worker. */
export interface LaneHost {
  readonly arena: Arena;
  readonly members: ReadonlyMap<number, LaneMember>;
  readonly commitPoints: Int32Array;
  /** A batch is finished. */
  progressed(): void;
  /** A task that waited for a promise can go on. */
  resumed(): void;
  /** Something failed: put it on the error board. */
  report(lane: number, batch: number, outcome: number, cause: ReportedCause): void;
}

export class WorkerLane {
  readonly id: number;
  readonly members = new Set<LaneMember>();
  readonly #engine: Engine;
  readonly #host: LaneHost;
  readonly #tasks: Task[] = [];
  #current: Generator<Wait, void, unknown> | undefined;
  /** When the current task wants to go on; Infinity while it waits for a promise. */
  #resumeAt = 0;

  constructor(id: number, engine: Engine, host: LaneHost) {
    this.id = id;
    this.#engine = engine;
    this.#host = host;
  }

  /** Carries out tasks until there are none or one has to wait; returns when to call again. */
  proceed(): number {
    for (;;) {
      if (this.#current === undefined) {
        const task = this.#tasks.shift();
        if (task === undefined) return Number.POSITIVE_INFINITY;
        this.#current = task();
      } else if (this.#resumeAt > performance.now()) {
        return this.#resumeAt;
      }
      const { done, value } = this.#current.next();
      if (done) {
        this.#current = undefined;
      } else if (typeof value === 'number') {
        this.#resumeAt = value;
      } else {
        this.#resumeAt = Number.POSITIVE_INFINITY;
        const resume = () => {
          this.#resumeAt = 0;
          this.#host.resumed();
        };
        void value.then(resume, resume);
      }
    }
  }

  /** Whether it waits for a promise, which needs the event loop. */
  get waitsForPromise(): boolean {
    return this.#current !== undefined && this.#resumeAt === Number.POSITIVE_INFINITY;
  }

  get idle(): boolean {
    return this.#current === undefined && this.#tasks.length === 0;
  }

  tidyUp(): MaybePromise<boolean> {
    return this.#engine.tidyUp();
  }

  /** Closes the file as the process ends; a call that comes all the same opens it again. */
  closeForNow(): void {
    this.#tasks.push(() => this.#close({}));
    this.proceed();
  }

  // ---- providers come and go --------------------------------------------------------------------

  attach(member: LaneMember, done: (report: Report) => void): void {
    this.members.add(member);
    const lane = this;
    this.#tasks.push(function* () {
      lane.#setDurability();
      const error = yield* lane.#patiently(() => lane.#engine.open());
      const report: Report = { sqliteVersion: lane.#engine.version };
      if (error !== undefined) report.error = { code: error.code, cause: error.reported };
      done(report);
    });
  }

  detach(member: LaneMember, done: (report: Report) => void): void {
    const lane = this;
    this.#tasks.push(function* () {
      lane.members.delete(member);
      const report: Report = {};
      if (lane.members.size === 0) yield* lane.#close(report);
      else lane.#setDurability();
      done(report);
    });
  }

  *#close(report: Report): Generator<Wait, void, unknown> {
    try {
      yield* settled(this.#engine.close());
    } catch (error) {
      const { message } = error as Error;
      report.error = { code: 'io-error', cause: { message } };
    }
  }

  #setDurability(): void {
    this.#engine.setDurability([...this.members].some((member) => member.full));
  }

  // ---- batches ----------------------------------------------------------------------------------

  run(
    batch: number,
    firstSlab: number,
    attachments: readonly (Attachment | undefined)[],
    readsOnly: boolean,
    done: (answers: ReadResult[]) => void,
  ): void {
    const lane = this;
    this.#tasks.push(function* () {
      const calls = new CallReader(lane.#host.arena, firstSlab, attachments, lane.#host.members);
      done(yield* lane.#runBatch(batch, firstSlab, calls, readsOnly));
    });
  }

  *#runBatch(
    batch: number,
    firstSlab: number,
    calls: CallReader,
    readsOnly: boolean,
  ): Generator<Wait, ReadResult[], unknown> {
    const { arena, commitPoints } = this.#host;
    const slabAt = arena.startOf(firstSlab) >> 2;
    const answers: ReadResult[] = [];
    if (readsOnly) {
      // published long ago, and perhaps batches behind it as well: the commit point must not go back
      const nowhere = { cells: new Int32Array(1), index: 0, value: 0 };
      yield* this.#readsAlone(batch, calls, nowhere, answers);
      return answers;
    }
    const commitPoint = { cells: commitPoints, index: this.id, value: batch };
    let oneByOne = (arena.cell(slabAt + SLAB_FLAGS) & BATCH_ONE_BY_ONE) !== 0;
    if (!oneByOne) {
      const error = yield* this.#transact(calls, 'all', commitPoint, answers);
      if (error !== undefined && wholesale.includes(error.code)) {
        this.#failAll(batch, calls.rewind('writes'), error);
        yield* this.#readsAlone(batch, calls, commitPoint, answers);
      } else if (error !== undefined) {
        oneByOne = true;
        calls.flag(BATCH_ONE_BY_ONE);
      }
    }
    if (oneByOne) yield* this.#oneByOne(batch, slabAt + SLAB_DONE, calls, answers);
    // for a batch of which all failed, or that was done one by one; else it is published already
    Atomics.store(commitPoints, this.id, batch);
    this.#host.progressed();
    return answers;
  }

  /** Carries out some calls of a batch in one transaction, and adds what its reads found. */
  *#transact(
    calls: CallReader,
    which: Parameters<CallReader['rewind']>[0],
    commitPoint: CommitPoint,
    answers: ReadResult[],
  ): Generator<Wait, EngineError | undefined, unknown> {
    return yield* this.#patiently(() =>
      then(this.#engine.transact(calls.rewind(which), commitPoint), (results) => {
        for (const result of results) answers.push(result); // there may be more than a call takes arguments
      }),
    );
  }

  /** The reads of a batch, without its writes: they are committed already, or have failed. */
  *#readsAlone(
    batch: number,
    calls: CallReader,
    commitPoint: CommitPoint,
    answers: ReadResult[],
  ): Generator<Wait, void, unknown> {
    if (!calls.rewind('reads').next()) return;
    const error = yield* this.#transact(calls, 'reads', commitPoint, answers);
    if (error !== undefined) this.#failAll(batch, calls.rewind('reads'), error);
  }

  /**
   * The batch failed as a whole, so that each promise gets its own attempt and a bad call fails
   * alone. Patches that share a promise share their fate. With each commit, the number of promises
   * dealt with is published, so that a new worker goes on behind them; reads it asks again.
   */
  *#oneByOne(batch: number, doneAt: number, calls: CallReader, answers: ReadResult[]): Generator<Wait, void, unknown> {
    const { arena } = this.#host;
    const alreadyDone = arena.cell(doneAt);
    const settlers = new Set<number>();
    calls.rewind();
    while (calls.next()) {
      if (calls.settler >= alreadyDone || calls.operation >= FIRST_READ) settlers.add(calls.settler);
    }
    // settlers are numbered in the order of the first call of each, and that is the order here
    for (const settler of settlers) {
      const point = { cells: arena.cells, index: doneAt, value: Math.max(settler + 1, alreadyDone) };
      const error = yield* this.#transact(calls, settler, point, answers);
      if (error !== undefined) this.#failAll(batch, calls.rewind(settler), error);
    }
  }

  /** Notes a failure as the outcome of calls that have none. */
  #failAll(batch: number, calls: CallReader, error: EngineError): void {
    const { arena } = this.#host;
    const outcome = FIRST_ERROR + errorCodes.indexOf(error.code);
    this.#host.report(this.id, batch, outcome, error.reported);
    while (calls.next()) {
      const cell = calls.at >> 2;
      if (((arena.cell(cell) >> 8) & 0xff) === OUTCOME_OPEN) arena.cells[cell] = arena.cell(cell) | (outcome << 8);
    }
    calls.flag(BATCH_FAILED);
  }

  /** Tries again while another process has the file, as long as this file's providers want to wait. */
  *#patiently(attempt: () => MaybePromise<void>): Generator<Wait, EngineError | undefined, unknown> {
    let deadline: number | undefined;
    for (let pause = FIRST_RETRY_MS; ; pause = Math.min(pause * 2, LONGEST_RETRY_MS)) {
      try {
        yield* settled(attempt());
        return undefined;
      } catch (error) {
        if (!(error instanceof EngineError)) throw error; // a fault of this program: the worker ends, and is replaced
        if (error.code !== 'database-busy') return error;
        const now = performance.now();
        deadline ??= now + Math.max(...[...this.members].map(({ busyTimeoutMs }) => busyTimeoutMs), 0);
        if (now >= deadline) return error;
        // not in step with another process that waits as well
        yield Math.min(now + pause * (0.5 + Math.random()), deadline);
      }
    }
  }
}

/** Waits for a promise, if it is one. */
function* settled<T>(value: MaybePromise<T>): Generator<Wait, T, unknown> {
  if (!(value instanceof Promise)) return value;
  let outcome: { value: T } | { error: unknown } | undefined;
  yield value.then(
    (result) => {
      outcome = { value: result };
    },
    (error: unknown) => {
      outcome = { error };
    },
  );
  if (outcome !== undefined && 'value' in outcome) return outcome.value;
  throw outcome?.error;
}

function then<T>(value: MaybePromise<T>, use: (value: T) => void): MaybePromise<void> {
  if (value instanceof Promise) return value.then(use);
  use(value);
}
