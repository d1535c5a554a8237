/**
 * One database file as the worker sees it: its providers, its engine, and its tasks, one after the other; one that
 * has to wait, since the file is busy or its server has not answered yet, does not hold up other files.
 */
import { cellTime } from '../protocol/clock.ts';
import type { Delays } from '../protocol/delays.ts';
import type { Failure, Found, Loaded, Report } from '../protocol/service.ts';
import { performance } from '../protocol/surroundings.ts';
import { Batches, type FileHost, type GatheredBatch, type Together } from './batches.ts';
import { type Caller, type Engine, EngineError, type MaybePromise } from './engine.ts';
import { patiently, settled, type Wait } from './patience.ts';

/** A provider, with what concerns the whole file. */
export interface Member extends Caller {
  file: WorkerFile;
}

/** One that takes its time. */
interface Task {
  run: () => Generator<Wait, void, unknown>;
  /** Ends it by a failure that `run` has thrown. */
  fail: (error: EngineError) => void;
  /** When it was called, as in `clock.ts`. */
  askedAt: number;
}

/** Small batches that wait for each other are committed together, up to so many bytes. */
const TOGETHER_BYTES = 256 * 1024;

const nothing: readonly GatheredBatch[] = [];

export class WorkerFile {
  readonly id: number;
  readonly members = new Set<Member>();
  /** Whether batches came for it since the last pause. */
  written = false;
  readonly #engine: Engine;
  readonly #host: FileHost;
  readonly #batches: Batches;
  readonly #tasks: (Task | GatheredBatch)[] = [];
  #current: Generator<Wait, void, unknown> | undefined;
  /** What is being carried out; nothing of it is held any longer than that: it may be large. */
  #inHand: Task | readonly GatheredBatch[] = nothing;
  /** When the current task wants to go on; Infinity while it waits for a promise. */
  #resumeAt = 0;

  constructor(id: number, engine: Engine, delays: Delays, host: FileHost) {
    this.id = id;
    this.#engine = engine;
    this.#host = host;
    this.#batches = new Batches(id, engine, host, delays, this.members);
  }

  /** Carries out tasks until there are none or one has to wait; returns when to call again. */
  proceed(): number {
    for (;;) {
      if (this.#current === undefined) {
        const task = this.#tasks.shift();
        if (task === undefined) return Number.POSITIVE_INFINITY;
        this.#current = this.#begin(task);
      } else if (this.#resumeAt > performance.now()) {
        return this.#resumeAt;
      }
      const wait = this.#step(this.#current);
      if (wait === undefined) {
        this.#current = undefined;
        this.#inHand = nothing;
      } else if (typeof wait === 'number') {
        this.#resumeAt = wait;
        return wait; // other files first, even if it is time already
      } else {
        this.#resumeAt = Number.POSITIVE_INFINITY;
        const resume = () => {
          this.#resumeAt = 0;
          this.#host.resumed();
        };
        void wait.then(resume, resume);
      }
    }
  }

  /** Goes on until it waits, or is done. */
  #step(task: Generator<Wait, void, unknown>): Wait | undefined {
    try {
      const { done, value } = task.next();
      return done ? undefined : value;
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  /** Whatever is thrown while something is carried out is a failure of that, and of nothing else. */
  #fail(thrown: unknown): void {
    const error = EngineError.of(thrown, 'io-error');
    if ('fail' in this.#inHand) this.#inHand.fail(error);
    else this.#batches.fail(this.#inHand, error);
  }

  /** Whether it waits for a promise, which needs the event loop. */
  get waitsForPromise(): boolean {
    return this.#current !== undefined && this.#resumeAt === Number.POSITIVE_INFINITY;
  }

  get idle(): boolean {
    return this.#current === undefined && this.#tasks.length === 0;
  }

  /** No caller waits for what is tidied up: what can't be is left for the next time. */
  pause(): void {
    try {
      this.#engine.pause?.();
    } catch {
      // it is tried again
    }
  }

  /** Returns whether to come again later. */
  tidyUp(): boolean {
    try {
      return this.#engine.tidyUp?.() ?? false;
    } catch {
      return true;
    }
  }

  #add(run: Task['run'], fail: Task['fail'], askedAt = cellTime(performance.now())): void {
    this.#tasks.push({ run, fail, askedAt });
  }

  /** Closes the file as the process ends; a call that comes all the same opens it again. */
  closeForNow(done: () => void): void {
    const file = this;
    this.#add(function* () {
      yield* settled(file.#engine.close());
      done();
    }, done);
    this.proceed();
  }

  attach(member: Member, done: (report: Report) => void): void {
    this.members.add(member);
    this.#engine.announce?.(member);
    const file = this;
    const fail = (error: EngineError) => done({ error: failureOf(error) });
    this.#add(function* () {
      const attempt = () => {
        file.#setDurability();
        return file.#engine.attach(member);
      };
      yield* patiently(attempt, file.members, 'open-failed');
      done({});
    }, fail);
  }

  detach(member: Member, done: (report: Report) => void): void {
    const leave = this.#engine.detach?.(member);
    const file = this;
    const fail = (error: EngineError) => done({ error: failureOf(error) });
    this.#add(function* () {
      file.members.delete(member);
      try {
        yield* settled(leave?.());
      } finally {
        // the last one closes the file, whatever its leaving comes to
        if (file.members.size === 0) yield* settled(file.#engine.close());
      }
      if (file.members.size > 0) file.#setDurability();
      done({});
    }, fail);
  }

  #setDurability(): void {
    this.#engine.setDurability?.([...this.members].some((member) => member.full));
  }

  load(askedAt: number, read: (engine: Engine) => MaybePromise<Found>, done: (loaded: Loaded) => void): void {
    const file = this;
    const end = (loaded: Loaded) => {
      this.#host.progressed(true);
      done(loaded);
    };
    this.#add(
      function* () {
        end({ found: yield* patiently(() => read(file.#engine), file.members) });
      },
      (error) => end({ failure: failureOf(error) }),
      askedAt,
    );
  }

  addBatch(batch: GatheredBatch): void {
    this.#tasks.push(batch);
  }

  #begin(task: Task | GatheredBatch): Generator<Wait, void, unknown> {
    this.#engine.taskBegins?.(task.askedAt);
    if ('run' in task) {
      this.#inHand = task;
      return task.run();
    }
    const batches: Together = [task];
    let bytes = this.#batches.seal(task);
    for (;;) {
      const next = this.#tasks[0];
      if (next === undefined || 'run' in next) break;
      bytes += this.#batches.seal(next);
      if (bytes > TOGETHER_BYTES) break;
      batches.push(next);
      this.#tasks.shift();
    }
    this.#inHand = batches;
    return this.#batches.run(batches);
  }
}

function failureOf({ code, reported }: EngineError): Failure {
  return { code, cause: reported };
}
