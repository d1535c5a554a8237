/** One thread, for the worker that has started it, and for others where there is no room for another thread. */

import { readdirSync, statSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
// the bundled src/worker/postgresql/entry.ts and src/worker/sqlite/entry.ts, put here by the build
import codeOf from 'virtual:rarely-used-code';
import workerCode from 'virtual:worker-code';
import type { SharedMemory } from '../../protocol/control.ts';
import { ifPossible } from '../../protocol/if-possible.ts';
import type { Channel } from '../channel/channel.ts';
import { startThread } from './start-worker.ts';

/** What a worker speaks to; each has code of its own. */
export type EngineKind = 'sqlite' | 'postgresql';

/** Whether a thread has begun when its constructor returns, and its loop's times are known; Bun prints a stack. */
const isNode = process.versions.deno === undefined && process.versions.bun === undefined;

/** The system's numbers of the threads of this process; none where they can't be seen, as under Node's permission model. */
function listThreads(): string[] {
  return ifPossible(() => readdirSync('/proc/self/task'), []);
}

/**
 * Whether a thread is one of this process; `undefined` where that can't be seen. It is asked for by its number: a list may lack
 * what lives, if another thread ends while the system makes it; and no file is opened, of which there may be too many.
 */
function lives(thread: string): boolean | undefined {
  const isThere = (path: string) => ifPossible(() => statSync(path, { throwIfNoEntry: false }) !== undefined);
  const found = isThere(`/proc/self/task/${thread}`);
  return found === false && !isThere('/proc/self/task') ? undefined : found;
}

/** What is told of its end. */
interface Served {
  readonly channel: Channel;
  ended(reason: unknown): void;
}

export class WorkerThread {
  readonly worker: Worker;
  /** Who has started it comes first. */
  readonly served = new Set<Served>();
  /** The threads that began with it: it is one of them, and says which one as soon as its code runs. */
  readonly #begun: readonly string[];
  #online = false;
  #reason: unknown;
  #wasAtWork: boolean | undefined;

  /** @throws what Node throws where no thread can be started */
  constructor(kind: EngineKind, shared: SharedMemory) {
    const before = new Set(listThreads());
    const worker = startThread(kind === 'sqlite' ? workerCode() : codeOf('postgresql'), 'sds-persistence', shared);
    this.#begun = listThreads().filter((thread) => !before.has(thread));
    this.worker = worker;
    worker.once('online', () => {
      this.#online = true;
    });
    worker.on('error', (error) => {
      this.#reason = error;
    });
    worker.on('messageerror', (error) => this.end(error));
    worker.on('exit', (code) => {
      const reason = this.#reason ?? new Error(`the worker thread ended with code ${code}`);
      for (const served of this.served) served.ended(reason);
    });
  }

  /** Ends it: its `exit` tells all that it serves. */
  end(reason?: unknown): void {
    this.#reason ??= reason;
    void this.worker.terminate();
  }

  /**
   * Whether it has ended, for a blocked thread, which hears no event. Where the system lists its threads it looks there.
   * Elsewhere, a thread that has ended reports a negative idle time, or, if it is asked for the first time only
   * then, no time at all; but so does one whose `online` event did not come yet (Node, lib/internal/worker.js).
   * Where neither is told a thread that has begun counts as alive, and one that `isLate` as ended.
   */
  hasEnded({ booted, threadId }: Channel, isLate: boolean): boolean {
    const alive = threadId > 0 ? lives(String(threadId)) : this.#anyBegunLives();
    if (alive !== undefined) return !alive;
    if (!isNode || isLate) return isLate;
    const { idle, active } = this.worker.performance.eventLoopUtilization();
    return idle < 0 || (booted && this.#online && idle === 0 && active === 0);
  }

  /** As long as it has not said which one it is. */
  #anyBegunLives(): boolean | undefined {
    if (!isNode || this.#begun.length === 0) return undefined;
    const begun = this.#begun.map(lives);
    return begun.includes(undefined) ? undefined : begun.includes(true);
  }

  /** The piece of work that it is carrying out, for whichever worker; one that has ended, that it was. */
  get work(): number | undefined {
    return [...this.served].find(({ channel }) => channel.work !== undefined)?.channel.work;
  }

  /** Of one that has ended, as it was when first asked. */
  get wasAtWork(): boolean {
    this.#wasAtWork ??= this.work !== undefined;
    return this.#wasAtWork;
  }
}
