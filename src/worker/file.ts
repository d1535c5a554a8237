/**
 * One database file as the worker sees it: its providers, its engine, and its tasks, one after the other; one that
 * has to wait, since the file is busy or its server has not answered yet, does not hold up other files.
 */
import { cellTime } from '../protocol/clock.ts';
import type { Answer, Report, WriteTicket } from '../protocol/service.ts';
import { Promise, performance } from '../protocol/surroundings.ts';
import { Batches, type BatchesHost, type GatheredBatch } from './batches.ts';
import { noteSnapshot } from './behind-a-snapshot.ts';
import { type Caller, type CommitPoint, type Engine, EngineError, type MaybePromise } from './engine.ts';
import type { LargeWrite } from './large-write.ts';
import { failureOf, Outcomes, type OutcomesHost } from './outcomes.ts';
import { patiently, settled, type Wait } from './patience.ts';

/** A provider, with what concerns the whole file. */
export interface Member extends Caller {
  file: WorkerFile;
}

/** What a file needs of the worker around it. */
export interface FileHost extends BatchesHost, OutcomesHost {
  /** A task that waited for a promise can go on. */
  resumed(): void;
}

/** One that takes its time. */
interface Task {
  run: () => Generator<Wait, void, unknown>;
  /** When it was called, as in `clock.ts`. */
  askedAt: number;
}

/** Small batches that wait for each other are committed together, up to so many bytes. */
const TOGETHER_BYTES = 256 * 1024;

export class WorkerFile {
  readonly id: number;
  readonly members = new Set<Member>();
  /** Whether batches came for it since the last pause. */
  written = false;
  readonly #engine: Engine;
  readonly #host: FileHost;
  readonly #outcomes: Outcomes;
  readonly #batches: Batches;
  readonly #tasks: (Task | GatheredBatch)[] = [];
  #current: Generator<Wait, void, unknown> | undefined;
  /** When the current task wants to go on; Infinity while it waits for a promise. */
  #resumeAt = 0;

  constructor(id: number, engine: Engine, host: FileHost) {
    this.id = id;
    this.#engine = engine;
    this.#host = host;
    this.#outcomes = new Outcomes(id, host);
    this.#batches = new Batches(engine, host, this.#outcomes, (attempt) => this.#patiently(attempt));
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

  #add(run: Task['run'], askedAt = cellTime(performance.now())): void {
    this.#tasks.push({ run, askedAt });
  }

  /** Closes the file as the process ends; a call that comes all the same opens it again. */
  closeForNow(done: () => void): void {
    const file = this;
    this.#add(function* () {
      yield* file.#close({});
      done();
    });
    this.proceed();
  }

  // ---- providers come and go --------------------------------------------------------------------

  attach(member: Member, done: (report: Report) => void): void {
    this.members.add(member);
    const file = this;
    this.#add(function* () {
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
    this.#add(function* () {
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

  load<T>(askedAt: number, read: (engine: Engine) => MaybePromise<T>, done: (answer: Answer<T>) => void): void {
    const file = this;
    this.#add(function* () {
      let found: { found: T } | undefined;
      const error = yield* file.#patiently(() => then(read(file.#engine), (value) => (found = { found: value })));
      file.#host.progressed(true);
      if (found !== undefined) done(found);
      else if (error !== undefined) done({ failure: failureOf(error) });
    }, askedAt);
  }

  write(ticket: WriteTicket, write: LargeWrite, done: () => void): void {
    this.#finish(ticket, write, done, (point) => {
      noteSnapshot(write.operation, write.caller, undefined);
      return this.#patiently(() => this.#engine.transact(write.rewind(), point));
    });
  }

  /** Of a write whose bytes went down with a worker it is only found out whether that one had committed it. */
  recall(ticket: WriteTicket, write: LargeWrite, done: () => void): void {
    this.#finish(ticket, write, done, (point) =>
      this.#patiently(() =>
        then(this.#engine.wasCommitted(point), (was) => {
          if (!was) throw new EngineError('worker-lost', { message: 'its bytes went down with the worker thread' });
        }),
      ),
    );
  }

  #finish(
    { number, askedAt }: WriteTicket,
    write: LargeWrite,
    done: () => void,
    attempt: (point: CommitPoint) => Generator<Wait, EngineError | undefined, unknown>,
  ): void {
    const file = this;
    this.#add(function* () {
      const outcomes = file.#outcomes;
      const error = yield* attempt(outcomes.point(number, number, write.outcomes, write.timesAt));
      if (error !== undefined) {
        write.fail(outcomes.report(number, error));
        noteSnapshot(write.operation, write.caller, error);
      }
      outcomes.dealtWith(number); // for one that failed; else it is published already
      write.free();
      file.#host.progressed(true);
      done();
    }, askedAt);
  }

  // ---- batches ------------------------------------------------------------------------------------

  addBatch(number: number, firstSlab: number, askedAt: number): void {
    this.#tasks.push({ number, firstSlab, askedAt });
  }

  /** Begins with what comes next; `undefined` if it is done already, as nearly every batch is. */
  #begin(): Generator<Wait, void, unknown> | undefined {
    const task = this.#tasks.shift();
    if (task === undefined) return undefined;
    this.#engine.taskBegins(task.askedAt);
    if ('run' in task) return task.run();
    const batches = [task];
    let bytes = this.#batches.seal(task);
    for (;;) {
      const next = this.#tasks[0];
      if (next === undefined || 'run' in next) break;
      bytes += this.#batches.seal(next);
      if (bytes > TOGETHER_BYTES) break;
      batches.push(next);
      this.#tasks.shift();
    }
    return this.#batches.runAtOnce(batches);
  }

  /** Tries again while another process has the file, as long as this file's providers want to wait. */
  #patiently(attempt: () => MaybePromise<unknown>): Generator<Wait, EngineError | undefined, unknown> {
    return patiently(attempt, () => Math.max(...[...this.members].map(({ busyTimeoutMs }) => busyTimeoutMs), 0));
  }
}

function then<T>(value: MaybePromise<T>, use: (value: T) => unknown): MaybePromise<unknown> {
  return value instanceof Promise ? value.then(use) : use(value);
}
