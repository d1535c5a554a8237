/** One database file: its providers, its engine, and its tasks in turn; one that has to wait holds up no other file. */
import { cellTime } from '../protocol/clock.ts';
import type { Delays } from '../protocol/delays.ts';
import type { Failure } from '../protocol/errors.ts';
import { ifPossible } from '../protocol/if-possible.ts';
import type { Found, Loaded, Report } from '../protocol/service.ts';
import { performance } from '../protocol/surroundings.ts';
import { Batches, type FileHost, type GatheredBatch, type Together, TURN_MS } from './batches.ts';
import { type Engine, EngineError, type MaybePromise, type Member } from './engine.ts';
import type { Loads } from './loads.ts';
import { patiently, settled, type Wait, WaitedInVain } from './patience.ts';

/** A provider, with what concerns the whole file. */
export interface FileMember extends Member {
  file: WorkerFile;
}

type Work<T> = Generator<Wait, T, unknown>;
/** What that comes to. */
type End<T> = { found: T } | { failure: Failure };

/** One that takes its time. */
interface Task {
  /** Throws nothing: whatever is thrown while something is carried out is a failure of that, and of nothing else. */
  work: Work<void>;
  /** When it was called, as in `clock.ts`. */
  askedAt: number;
  isLoad: boolean;
}

/** Small batches that wait for each other are committed together, up to so many bytes. */
const TOGETHER_BYTES = 256 * 1024;

export class WorkerFile {
  readonly id: number;
  readonly members = new Set<FileMember>();
  /** Those of them that ask for full durability. */
  readonly #full = new Set<FileMember>();
  readonly #engine: Engine;
  readonly #host: FileHost;
  readonly #batches: Batches;
  readonly #inVain = new WaitedInVain();
  #tasks: (Task | GatheredBatch)[] = [];
  /** What is being carried out; nothing of it is held any longer than that: it may be large. */
  #current: Work<void> | undefined;
  /** When the current task wants to go on; Infinity while it waits for a promise. */
  #resumeAt = 0;
  /** Those of each call that is not answered to its end. */
  readonly loads = new Map<number, Loads>();

  constructor(id: number, engine: Engine, delays: Delays, host: FileHost) {
    this.id = id;
    this.#engine = engine;
    this.#host = host;
    this.#batches = new Batches(id, engine, host, delays, this.#inVain);
  }

  /** Carries out tasks until there are none, one has to wait, or loads have taken their time; returns when to call again. */
  proceed(): number {
    const turnEnds = performance.now() + TURN_MS;
    let hasLoaded = false;
    for (;;) {
      if (this.#current === undefined) {
        if (hasLoaded && performance.now() >= turnEnds) return 0;
        const task = this.#tasks.shift();
        if (task === undefined) return Number.POSITIVE_INFINITY;
        hasLoaded = 'work' in task && task.isLoad;
        this.#current = this.#begin(task);
      } else if (this.#resumeAt > performance.now()) {
        return this.#resumeAt;
      }
      const { done, value: wait } = this.#current.next();
      if (done) {
        this.#current = undefined;
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

  /** Whether it waits for a promise, which needs the event loop. */
  get waitsForPromise(): boolean {
    return this.#current !== undefined && this.#resumeAt === Number.POSITIVE_INFINITY;
  }

  get idle(): boolean {
    return this.#current === undefined && this.#tasks.length === 0;
  }

  /** No caller waits for what is tidied up: what can't be is left for the next time. */
  pause(): void {
    ifPossible(() => this.#engine.pause?.());
  }

  /** Returns whether to come again later. */
  tidyUp(): boolean {
    return ifPossible(() => this.#engine.tidyUp?.() ?? false, true);
  }

  #add<T>(work: () => Work<T>, done: (end: End<T>) => void, askedAt?: number): void {
    const run = function* () {
      try {
        done({ found: yield* work() });
      } catch (error) {
        const { code, reported } = EngineError.of(error, 'io-error');
        done({ failure: { code, cause: reported } });
      }
    };
    const isLoad = askedAt !== undefined; // of others, it makes no difference
    this.#tasks.push({ work: run(), askedAt: askedAt ?? cellTime(performance.now()), isLoad });
  }

  /** Closes the file as the process ends, when no answer is heard any more; a call that comes all the same opens it again. */
  closeForNow(done: () => void): void {
    this.#tasks = this.#tasks.filter((task) => !('work' in task && task.isLoad));
    this.#add(() => settled(this.#engine.close()), done);
  }

  attach(member: FileMember, done: (report: Report) => void): void {
    this.members.add(member);
    this.#inVain.came(member);
    if (member.Durability === 'full') this.#full.add(member);
    this.#engine.announce?.(member);
    const attempt = () => {
      this.#setDurability();
      return this.#engine.attach(member);
    };
    this.#add(() => patiently(attempt, this.#inVain, 'open-failed'), reportTo(done));
  }

  detach(member: FileMember, done: (report: Report) => void): void {
    const leave = this.#engine.detach?.(member);
    this.#add(() => this.#letGo(member, leave), reportTo(done));
  }

  *#letGo(member: FileMember, leave: (() => MaybePromise<void>) | undefined): Work<void> {
    this.members.delete(member);
    this.#full.delete(member);
    this.#inVain.went(member, this.members);
    // what it leaves is waited for no longer than those want that are left
    this.#engine.taskBegins?.(cellTime(performance.now()), this.#inVain.leftMs);
    try {
      yield* settled(leave?.());
    } finally {
      // the last one closes the file, whatever its leaving comes to
      if (this.members.size === 0) yield* settled(this.#engine.close());
    }
    this.#setDurability();
  }

  #setDurability(): void {
    this.#engine.setDurability?.(this.#full.size > 0);
  }

  load(askedAt: number, read: (engine: Engine) => MaybePromise<Found>, done: (loaded: Loaded) => void): void {
    const end = (loaded: Loaded) => {
      // that it has waited for another process in vain is no progress: a blocked thread would wait for each of a thousand
      if (!('failure' in loaded && loaded.failure.code === 'database-busy')) this.#host.progressed();
      done(loaded);
    };
    this.#add(() => patiently(() => read(this.#engine), this.#inVain), end, askedAt);
  }

  addBatch(batch: GatheredBatch): void {
    this.#tasks.push(batch);
  }

  #begin(task: Task | GatheredBatch): Work<void> {
    this.#inVain.begin(task.askedAt, 'work' in task);
    this.#engine.taskBegins?.(task.askedAt, this.#inVain.leftMs);
    if ('work' in task) return task.work;
    const batches: Together = [task];
    let bytes = this.#batches.seal(task);
    for (;;) {
      const next = this.#tasks[0];
      if (next === undefined || 'work' in next) break;
      bytes += this.#batches.seal(next);
      if (bytes > TOGETHER_BYTES) break;
      batches.push(next);
      this.#tasks.shift();
    }
    return this.#batches.run(batches);
  }
}

function reportTo(done: (report: Report) => void): (end: End<unknown>) => void {
  return (end) => done('failure' in end ? { failure: end.failure } : {});
}
