/**
 * One worker thread from its start to its end, and the Comlink calls to it. Comlink's promises never
 * settle once their worker is gone: then `onEnd` is told, and nothing of this session is heard any more.
 * `onAnswered` is told after each answer: the process may have nothing left to wait for.
 */
import { existsSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
import { type Remote, wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import type { WorkerService } from '../../protocol/service.ts';
import { outsideOfCalls } from '../async-context.ts';
import type { Channel } from '../channel/channel.ts';
import { inTheMiddle } from '../observe/notes.ts';
import { type EngineKind, startWorker } from './start-worker.ts';

/** A worker that did not start within this is taken for lost by a blocked thread, which hears of no exit. */
const START_PATIENCE_MS = 30_000;

export class Session {
  readonly startedAt = performance.now();
  readonly #channel: Channel;
  readonly #worker: Worker;
  readonly #service: Remote<WorkerService>;
  readonly #onEnd: (reason: unknown) => void;
  readonly #onAnswered: () => void;
  #online = false;
  #over = false;
  #referenced = true;
  /** Calls that are not answered. */
  #calls = 0;

  constructor(
    kind: EngineKind,
    channel: Channel,
    arena: SharedArrayBuffer,
    onEnd: (reason: unknown) => void,
    onAnswered: () => void,
  ) {
    channel.reset();
    this.#channel = channel;
    this.#onEnd = onEnd;
    this.#onAnswered = onAnswered;
    const worker = startWorker(kind, channel.sharedWith(arena));
    this.#worker = worker;
    this.#service = wrap<WorkerService>(nodeEndpoint(worker));
    worker.once('online', () => {
      this.#online = true;
    });
    let reason: unknown;
    worker.on('error', (error) => {
      reason = error;
    });
    worker.on('messageerror', (error) => this.#end(error));
    worker.on('exit', (code) => this.#ended(reason ?? new Error(`the worker thread ended with code ${code}`)));
  }

  /** Calls the worker. The process goes on living until it has answered. */
  call<T>(method: (service: Remote<WorkerService>) => Promise<T>, onAnswer: (answer: T) => void): void {
    if (this.#over) return;
    this.#calls++;
    this.keepAlive(true);
    outsideOfCalls(() => inTheMiddle(() => this.#call(method, onAnswer)));
  }

  #call<T>(method: (service: Remote<WorkerService>) => Promise<T>, onAnswer: (answer: T) => void): void {
    let answer: Promise<T>;
    try {
      answer = method(this.#service);
    } catch (error) {
      this.#end(error); // a message that can't be sent: the next worker gets it anew
      return;
    }
    this.#channel.called();
    answer.then(
      (value) => {
        if (this.#over) return; // all that a lost worker left unanswered is asked again
        this.#calls--;
        onAnswer(value);
        this.#onAnswered();
      },
      (error: unknown) => this.#end(error), // the service never throws on purpose; an answer that can't be read ends it too
    );
  }

  get hasCalls(): boolean {
    return this.#calls > 0;
  }

  keepAlive(wanted: boolean): void {
    if (wanted === this.#referenced) return;
    this.#referenced = wanted;
    if (wanted) this.#worker.ref();
    else this.#worker.unref();
  }

  /**
   * Whether the worker is gone, for a blocked thread, which hears no event; and why. On Linux it looks for
   * the thread itself. Elsewhere, a thread that has ended reports a negative idle time, or, if it is asked
   * for the first time only then, no time at all; but so does one whose `online` event did not come yet
   * (Node, lib/internal/worker.js).
   */
  checkLife(): 'alive' | 'ended' | 'never began' {
    const { booted, threadId } = this.#channel;
    const { idle, active } = this.#worker.performance.eventLoopUtilization();
    const ended =
      threadId > 0
        ? !existsSync(`/proc/self/task/${threadId}`)
        : idle < 0 || (booted && this.#online && idle === 0 && active === 0);
    if (ended) return 'ended';
    return !booted && performance.now() - this.startedAt > START_PATIENCE_MS ? 'never began' : 'alive';
  }

  /** Takes no notice of the worker any more, and ends it: it must not do what was refused, or is done by another. */
  leave(): void {
    this.#over = true;
    this.keepAlive(false);
    void this.#worker.terminate();
  }

  /** Ends a worker that can't be talked to any more. */
  #end(reason: unknown): void {
    if (this.#over) return;
    this.#worker.emit('error', reason);
    void this.#worker.terminate(); // its `exit` tells
  }

  #ended(reason: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#onEnd(reason);
  }
}
