/**
 * One thread, from its start to its end: for the worker that has started it, and for others that it serves
 * besides, where there is no room for another thread.
 */

import type { Worker } from 'node:worker_threads';
import { existsSync } from '../../protocol/builtins.ts';
import type { SharedMemory } from '../../protocol/control.ts';
import type { Channel } from '../channel/channel.ts';
import { type EngineKind, startWorker } from './start-worker.ts';

/** What is told of its end. */
interface Served {
  readonly channel: Channel;
  ended(reason: unknown): void;
}

/** Deno has no event-loop times of a worker; Bun answers with zeros, and prints a stack when it is asked. */
const tellsTimes = process.versions.deno === undefined && process.versions.bun === undefined;

/** Whether a thread is among those of this process; `undefined` where these can't be seen, as under Node's permission model. */
function isListed(threadId: number): boolean | undefined {
  try {
    if (existsSync(`/proc/self/task/${threadId}`)) return true;
    return existsSync('/proc/self/task') ? false : undefined;
  } catch {
    return undefined; // Node 22 throws for what is not allowed
  }
}

export class WorkerThread {
  readonly worker: Worker;
  /** Who has started it comes first. */
  readonly served = new Set<Served>();
  #online = false;
  #reason: unknown;
  #wasAtWork: boolean | undefined;

  /** @throws what Node throws where no thread can be started */
  constructor(kind: EngineKind, shared: SharedMemory) {
    const worker = startWorker(kind, shared);
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
   * Where neither is told a thread that has begun counts as alive.
   */
  hasEnded({ booted, threadId }: Channel): boolean {
    const listed = threadId > 0 ? isListed(threadId) : undefined;
    if (listed !== undefined) return !listed;
    if (!tellsTimes) return false;
    const { idle, active } = this.worker.performance.eventLoopUtilization();
    return idle < 0 || (booted && this.#online && idle === 0 && active === 0);
  }

  /** Of one that has ended: whether it was carrying something out, for whichever worker. As it was when first asked. */
  get wasAtWork(): boolean {
    this.#wasAtWork ??= [...this.served].some(({ channel }) => channel.fileAtWork !== undefined);
    return this.#wasAtWork;
  }
}
