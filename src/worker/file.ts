/**
 * One database file as the worker sees it: its tasks in order, its engine, and the rules by which writes
 * are carried out: in one transaction; waiting without blocking others while the file is busy; call by
 * call if they fail as a whole.
 */
import { FIRST_ERROR } from '../protocol/entries.ts';
import { errorCodes, type SDS_PersistenceErrorCode } from '../protocol/errors.ts';
import type { Answer, Failure, Report } from '../protocol/service.ts';
import {
  BATCH_FAILED,
  BATCH_ONE_BY_ONE,
  NO_SLAB,
  SLAB_COMMITTED_AT,
  SLAB_DONE,
  SLAB_FLAGS,
  SLAB_NEXT,
  SLAB_SEALED,
  SLAB_USED,
  usedOf,
} from '../protocol/slabs.ts';
import type { Arena } from './arena.ts';
import { BatchReader } from './batch-reader.ts';
import {
  type Caller,
  type CommitPoint,
  type Engine,
  EngineError,
  type MaybePromise,
  WHOLE,
  type Writes,
} from './engine.ts';
import type { LargeWrite } from './large-write.ts';
import { patiently, settled, type Wait } from './patience.ts';

/** A provider, with what concerns the whole file. */
export interface Member extends Caller {
  file: WorkerFile;
}

type Task = () => Generator<Wait, void, unknown>;

interface GatheredBatch {
  number: number;
  firstSlab: number;
}

/** Small batches that wait for each other are committed together, up to so many bytes. */
const TOGETHER_BYTES = 256 * 1024;

/** Trouble of the whole file: each single call would only meet it again. */
const wholesale: readonly SDS_PersistenceErrorCode[] = [
  'database-busy',
  'open-failed',
  'schema-mismatch',
  'read-only',
  'connection-failed',
];

/** What a file needs of the worker around it. */
export interface FileHost {
  readonly arena: Arena;
  readonly members: ReadonlyMap<number, Member>;
  readonly commitPoints: Int32Array;
  /** Something is finished; by an answer the main side hears of it anyway. */
  progressed(answered: boolean): void;
  /** A task that waited for a promise can go on. */
  resumed(): void;
  /** Something failed: the main side is told at once, and what of. */
  report(file: number, number: number, outcome: number, failure: Failure): void;
}

export class WorkerFile {
  readonly id: number;
  readonly members = new Set<Member>();
  /** Whether batches came for it since the last pause. */
  written = false;
  readonly #engine: Engine;
  readonly #host: FileHost;
  readonly #tasks: (Task | GatheredBatch)[] = [];
  #current: Generator<Wait, void, unknown> | undefined;
  /** When the current task wants to go on; Infinity while it waits for a promise. */
  #resumeAt = 0;

  constructor(id: number, engine: Engine, host: FileHost) {
    this.id = id;
    this.#engine = engine;
    this.#host = host;
  }

  /** Carries out tasks until there are none or one has to wait; returns when to call again. */
  proceed(): number {
    for (;;) {
      if (this.#current === undefined) {
        if (this.#tasks.length === 0) return Number.POSITIVE_INFINITY;
        this.#current = this.#begin();
        if (this.#current === undefined) continue;
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

  pause(): boolean {
    return this.#engine.pause();
  }

  tidyUp(): MaybePromise<boolean> {
    return this.#engine.tidyUp();
  }

  /** Closes the file as the process ends; a call that comes all the same opens it again. */
  closeForNow(done: () => void): void {
    const file = this;
    this.#tasks.push(function* () {
      yield* file.#close({});
      done();
    });
    this.proceed();
  }

  // ---- providers come and go --------------------------------------------------------------------

  attach(member: Member, done: (report: Report) => void): void {
    this.members.add(member);
    const file = this;
    this.#tasks.push(function* () {
      file.#setDurability();
      const report: Report = {};
      const error = yield* file.#patiently(() =>
        then(file.#engine.attach(member), (epoch) => {
          if (epoch !== undefined) report.epoch = epoch;
        }),
      );
      report.sqliteVersion = file.#engine.version;
      if (error !== undefined) report.error = failureOf(error);
      done(report);
    });
  }

  detach(member: Member, done: (report: Report) => void): void {
    const file = this;
    this.#tasks.push(function* () {
      file.members.delete(member);
      const report: Report = {};
      yield* settled(file.#engine.detach(member));
      if (file.members.size === 0) yield* file.#close(report);
      else file.#setDurability();
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

  // ---- calls that cross by themselves -------------------------------------------------------------

  load<T>(read: (engine: Engine) => MaybePromise<T>, done: (answer: Answer<T>) => void): void {
    const file = this;
    this.#tasks.push(function* () {
      let found: { found: T } | undefined;
      const error = yield* file.#patiently(() => then(read(file.#engine), (value) => (found = { found: value })));
      file.#host.progressed(true);
      if (found !== undefined) done(found);
      else if (error !== undefined) done({ failure: failureOf(error) });
    });
  }

  write(number: number, write: LargeWrite, done: () => void): void {
    this.#finish(number, write, done, (point) => this.#transact(() => write.rewind(), point));
  }

  /** Of a write whose bytes went down with a worker it is only found out whether that one had committed it. */
  recall(number: number, write: LargeWrite, done: () => void): void {
    this.#finish(number, write, done, (point) =>
      this.#patiently(() =>
        then(this.#engine.wasCommitted(point), (was) => {
          if (!was) throw new EngineError('worker-lost', { message: 'its bytes went down with the worker thread' });
        }),
      ),
    );
  }

  #finish(
    number: number,
    write: LargeWrite,
    done: () => void,
    attempt: (point: CommitPoint) => Generator<Wait, EngineError | undefined, unknown>,
  ): void {
    const file = this;
    this.#tasks.push(function* () {
      const { commitPoints } = file.#host;
      const error = yield* attempt(file.#point(number, number, write.outcomes, write.timesAt));
      if (error !== undefined) write.fail(file.#report(number, error));
      Atomics.store(commitPoints, file.id, number); // for one that failed; else it is published already
      write.free();
      file.#host.progressed(true);
      done();
    });
  }

  // ---- batches ------------------------------------------------------------------------------------

  addBatch(number: number, firstSlab: number): void {
    this.#tasks.push({ number, firstSlab });
  }

  /** Begins with what comes next; `undefined` if it is done already, as nearly every batch is. */
  #begin(): Generator<Wait, void, unknown> | undefined {
    const task = this.#tasks.shift();
    if (task === undefined) return undefined;
    if (typeof task === 'function') return task();
    const batches = [task];
    let bytes = this.#seal(task);
    for (;;) {
      const next = this.#tasks[0];
      if (next === undefined || typeof next === 'function') break;
      bytes += this.#seal(next);
      if (bytes > TOGETHER_BYTES) break;
      batches.push(next);
      this.#tasks.shift();
    }
    return this.#runAtOnce(batches);
  }

  /**
   * Seals a batch: nothing is added to it from now on. Returns the bytes of one of one slab that nobody has
   * begun to carry out; of any other, infinitely many.
   */
  #seal({ firstSlab }: GatheredBatch): number {
    const { arena } = this.#host;
    const cell = arena.startOf(firstSlab) >> 2;
    const small = arena.cell(cell + SLAB_NEXT) === NO_SLAB && arena.cell(cell + SLAB_FLAGS) === 0;
    const used = usedOf(Atomics.or(arena.cells, cell + SLAB_USED, SLAB_SEALED));
    return small ? used : Number.POSITIVE_INFINITY;
  }

  /** Tries to commit batches here and now; returns what is left to do, if that takes patience, or fails. */
  #runAtOnce(batches: readonly GatheredBatch[]): Generator<Wait, void, unknown> | undefined {
    const { arena, members } = this.#host;
    const calls = new BatchReader(
      arena,
      batches.map(({ firstSlab }) => firstSlab),
      members,
    );
    const [first] = batches;
    // a worker was lost while it noted failures: what is not dealt with is tried anew, each promise as a whole
    if (first !== undefined && calls.hasFlag(BATCH_FAILED)) {
      calls.reopen(arena.cell((arena.startOf(first.firstSlab) >> 2) + SLAB_DONE));
    }
    if (first !== undefined && calls.hasFlag(BATCH_ONE_BY_ONE)) return this.#runAlone(first);
    const point = this.#pointOf(batches);
    const attempt = () => this.#engine.transact(calls.rewind(), point);
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
      for (const { number, firstSlab } of batches) {
        this.#failAll(number, this.#readerOf(firstSlab), 'all', error);
        Atomics.store(this.#host.commitPoints, this.id, number);
      }
      this.#host.progressed(false);
    } else {
      for (const batch of batches) yield* this.#runAlone(batch, batches.length === 1);
    }
  }

  /** Of several batches that are committed together. */
  #pointOf(batches: readonly GatheredBatch[]): CommitPoint {
    const { arena } = this.#host;
    const timesAt = batches.map(({ firstSlab }) => (arena.startOf(firstSlab) >> 2) + SLAB_COMMITTED_AT);
    return this.#point(batches[0]?.number ?? 0, batches.at(-1)?.number ?? 0, arena.cells, timesAt);
  }

  #readerOf(firstSlab: number): BatchReader {
    return new BatchReader(this.#host.arena, [firstSlab], this.#host.members);
  }

  /** One batch: as a whole, unless that has failed, and then promise by promise. */
  *#runAlone({ number, firstSlab }: GatheredBatch, hasFailed = false): Generator<Wait, void, unknown> {
    const { arena, commitPoints } = this.#host;
    const calls = this.#readerOf(firstSlab);
    if (!hasFailed && !calls.hasFlag(BATCH_ONE_BY_ONE)) {
      const batches = [{ number, firstSlab }];
      const point = this.#pointOf(batches);
      yield* this.#runPatiently(batches, () => this.#engine.transact(calls.rewind(), point));
      return;
    }
    calls.flag(BATCH_ONE_BY_ONE);
    yield* this.#runOneByOne(number, arena.startOf(firstSlab) >> 2, calls);
    Atomics.store(commitPoints, this.id, number);
    this.#host.progressed(false);
  }

  /**
   * The batch failed as a whole, so that each promise gets its own attempt and a bad call fails
   * alone. Patches that share a promise share their fate. With each commit, the number of promises
   * dealt with is published, so that a new worker goes on behind them.
   */
  *#runOneByOne(number: number, slabCell: number, calls: BatchReader): Generator<Wait, void, unknown> {
    const { cells } = this.#host.arena;
    const doneAt = slabCell + SLAB_DONE;
    const timesAt = [slabCell + SLAB_COMMITTED_AT];
    const alreadyDone = cells[doneAt] ?? 0;
    const settlers = new Set<number>();
    calls.rewind();
    while (calls.next()) if (calls.settler >= alreadyDone) settlers.add(calls.settler);
    // settlers are numbered in the order of the first call of each, and that is the order here
    for (const settler of settlers) {
      const part = settler + 1;
      const point = { cells, index: doneAt, value: part, number, first: number, part, times: cells, timesAt };
      const error = yield* this.#transact(() => calls.rewind(settler), point);
      if (error !== undefined) this.#failAll(number, calls, settler, error);
    }
  }

  #point(first: number, number: number, times: Int32Array, timesAt: readonly number[]): CommitPoint {
    const { commitPoints: cells } = this.#host;
    return { cells, index: this.id, value: number, times, timesAt, number, first, part: WHOLE };
  }

  #transact(rewind: () => Writes, commitPoint: CommitPoint): Generator<Wait, EngineError | undefined, unknown> {
    return this.#patiently(() => this.#engine.transact(rewind(), commitPoint));
  }

  #failAll(number: number, calls: BatchReader, which: number | 'all', error: EngineError): void {
    const outcome = this.#report(number, error);
    calls.flag(BATCH_FAILED); // first: if the worker is lost in between, no failure is overlooked
    calls.rewind(which);
    while (calls.next()) calls.fail(outcome);
  }

  /** Says what went wrong; returns the outcome that stands for it. */
  #report(number: number, error: EngineError): number {
    const outcome = FIRST_ERROR + errorCodes.indexOf(error.code);
    this.#host.report(this.id, number, outcome, failureOf(error));
    return outcome;
  }

  /** Tries again while another process has the file, as long as this file's providers want to wait. */
  #patiently(attempt: () => MaybePromise<unknown>): Generator<Wait, EngineError | undefined, unknown> {
    return patiently(attempt, () => Math.max(...[...this.members].map(({ busyTimeoutMs }) => busyTimeoutMs), 0));
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

function failureOf({ code, reported }: EngineError): Failure {
  return { code, cause: reported };
}

function then<T>(value: MaybePromise<T>, use: (value: T) => unknown): MaybePromise<unknown> {
  return value instanceof Promise ? value.then(use) : use(value);
}
