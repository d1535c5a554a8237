/** The threads of operations, which neither call nor commit; one that is idle is used again if another operation comes soon. */
import { availableParallelism } from 'node:os';
import type { MessagePort, Worker } from 'node:worker_threads';
// the bundled src/worker/operations/thread/entry.ts, put here by the build
import codeOf from 'virtual:rarely-used-code';
import { OWNER } from '../../protocol/control.ts';
import { type OperationData, RUNNING } from '../../protocol/operation-messages.ts';
import { later } from '../../protocol/surroundings.ts';
import { traffic } from '../observe/file-observer.ts';
import { startWithPort } from '../workers/start-worker.ts';

/** Starting a thread takes some 30 ms: a folder of a thousand files would wait for half a minute. */
const KEEP_MS = 1000;
/** More are slower, and take memory. A backup works in Node's pool of four as well: one is left to the program. */
const MOST_AT_ONCE = Math.min(Math.max(availableParallelism(), 2), 3);

export interface Thread {
  worker: Worker;
  port: MessagePort;
  /** Whether it got as far as to run anything. */
  began: boolean;
  /** Whether it ends, or has ended. */
  isOver: boolean;
  /** Whether its operation goes on. */
  cell: Int32Array;
  /** Lets it live on, if it is about to be ended. */
  keep: () => void;
}

/** One that gets a thread in its turn. */
export interface WaitingOperation {
  begin(thread: Thread): void;
  /** There is no thread to be had. */
  fail(error: unknown): void;
}

/** Each for one operation at a time: some work, the other operations wait for their turn. */
class Threads {
  readonly #idle: Thread[] = [];
  readonly #waiting: WaitingOperation[] = [];
  #working = 0;

  ask(operation: WaitingOperation): void {
    this.#waiting.push(operation);
    this.#goOn();
  }

  /** Returns whether it was still waiting. */
  giveUp(operation: WaitingOperation): boolean {
    return remove(this.#waiting, operation);
  }

  /** It has closed its files: ending it from now on can't be in the middle of anything. Its answer may have come with its end. */
  giveBack(thread: Thread): void {
    thread.worker.unref();
    if (!thread.isOver) {
      thread.keep = later(() => {
        this.#forget(thread);
        void thread.worker.terminate();
      }, KEEP_MS);
      this.#idle.push(thread);
    }
    this.ended();
  }

  ended(): void {
    this.#working--;
    this.#goOn();
  }

  /** For one whose thread could not begin: it gets that of another one, if there is any. */
  beginAgain(operation: WaitingOperation): boolean {
    const hasThread = this.#idle.length > 0;
    if (this.#working === 1 && !hasThread) return false;
    this.#working--;
    this.#waiting.unshift(operation);
    if (hasThread) this.#goOn();
    return true;
  }

  #goOn(): void {
    while (this.#working < MOST_AT_ONCE) {
      const operation = this.#waiting.shift();
      if (operation === undefined) return;
      this.#working++; // before it begins: Node tells of its thread, and who hears of that may ask for one
      try {
        operation.begin(this.#take());
      } catch (error) {
        if (this.beginAgain(operation)) return;
        this.#working--;
        operation.fail(error);
      }
    }
  }

  #take(): Thread {
    const thread = this.#idle.pop() ?? this.#start();
    thread.keep();
    thread.worker.ref();
    Atomics.store(thread.cell, 0, RUNNING);
    return thread;
  }

  #start(): Thread {
    const cell = new SharedArrayBuffer(4);
    const data: Omit<OperationData, 'port'> = { owner: OWNER, cell, traffic: traffic.buffer };
    const [worker, port] = startWithPort(codeOf('operations'), 'sds-operations', data);
    const thread: Thread = { worker, port, began: false, isOver: false, cell: new Int32Array(cell), keep: () => {} };
    worker.once('online', () => {
      thread.began = true;
    });
    // while it has an operation, that hears of it as well; without, nobody else does, and nobody misses it
    worker.prependListener('error', () => this.#forget(thread));
    worker.prependListener('exit', () => this.#forget(thread)); // before what came last is told
    return thread;
  }

  #forget(thread: Thread): void {
    thread.isOver = true;
    remove(this.#idle, thread);
  }
}

/** Returns whether it was in there. */
function remove<T>(list: T[], one: T): boolean {
  const index = list.indexOf(one);
  if (index >= 0) list.splice(index, 1);
  return index >= 0;
}

export const onFiles = new Threads();
/** Most of the time these wait for a server. */
export const onServers = new Threads();
