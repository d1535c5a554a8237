/** Runs operations, each in a thread that neither calls nor commits; one that is idle is used again if another comes soon. */
import { availableParallelism } from 'node:os';
import type { MessagePort, Worker } from 'node:worker_threads';
// the bundled src/worker/operations/files/entry.ts and src/worker/operations/copying/entry.ts, put here by the build
import codeOf from 'virtual:rarely-used-code';
import { OWNER } from '../../protocol/control.ts';
import { makeError, reviveCause } from '../../protocol/errors.ts';
import {
  ALLOWED,
  type OperationData,
  type OperationName,
  type OperationOutcome,
  type OperationReply,
  type OperationRequest,
  type Operations,
  RUNNING,
  STOPPED,
} from '../../protocol/operation-messages.ts';
import type { SDS_OperationOptions, SDS_OperationProgress, SDS_StopSignal } from '../../protocol/operations.ts';
import { later, Promise } from '../../protocol/surroundings.ts';
import { traffic } from '../observe/file-observer.ts';
import { note } from '../observe/notes.ts';
import { startWithPort } from '../workers/start-worker.ts';

/** Starting a thread takes some 30 ms: a folder of a thousand files would wait for half a minute. */
const KEEP_MS = 1000;
/** More are slower, and take memory. A backup works in Node's pool of four as well: one is left to the program. */
const MOST_AT_ONCE = Math.min(Math.max(availableParallelism(), 2), 3);

interface Thread {
  worker: Worker;
  port: MessagePort;
  /** Whether it got as far as to run anything. */
  began: boolean;
  /** Whether its operation goes on. */
  cell: Int32Array;
  /** Lets it live on, if it is about to be ended. */
  keep: () => void;
}

/** One that gets a thread in its turn. */
interface WaitingOperation {
  begin(thread: Thread): void;
  /** There is no thread to be had. */
  fail(error: unknown): void;
}

/** Threads with the same code, each for one operation at a time: some work, the other operations wait for their turn. */
class Threads {
  readonly #code: 'files' | 'copying';
  readonly #idle: Thread[] = [];
  readonly #waiting: WaitingOperation[] = [];
  #working = 0;

  constructor(code: 'files' | 'copying') {
    this.#code = code;
  }

  ask(operation: WaitingOperation): void {
    this.#waiting.push(operation);
    this.#goOn();
  }

  /** Returns whether it was still waiting. */
  giveUp(operation: WaitingOperation): boolean {
    return remove(this.#waiting, operation);
  }

  /** It has closed its files: ending it from now on can't be in the middle of anything. */
  giveBack(thread: Thread): void {
    thread.worker.unref();
    thread.keep = later(() => {
      this.#forget(thread);
      void thread.worker.terminate();
    }, KEEP_MS);
    this.#idle.push(thread);
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
    const [worker, port] = startWithPort(codeOf(this.#code), 'sds-operations', data);
    const thread: Thread = { worker, port, began: false, cell: new Int32Array(cell), keep: () => {} };
    worker.once('online', () => {
      thread.began = true;
    });
    // while it has an operation, that hears of it as well; without, nobody else does, and nobody misses it
    worker.on('error', () => this.#forget(thread));
    worker.on('exit', () => this.#forget(thread));
    return thread;
  }

  #forget(thread: Thread): void {
    thread.keep();
    remove(this.#idle, thread);
  }
}

/** Returns whether it was in there. */
function remove<T>(list: T[], one: T): boolean {
  const index = list.indexOf(one);
  if (index >= 0) list.splice(index, 1);
  return index >= 0;
}

const onFiles = new Threads('files');
/** Most of the time these wait for a server. */
const onServers = new Threads('copying');

/** Rejects with the signal's reason once what was stopped is cleaned up. Options are plain: reading them runs nothing. */
export function runOperation<Name extends OperationName>(
  operation: Name,
  call: string,
  given: Operations[Name]['given'],
  { OnProgress, Signal }: SDS_OperationOptions,
): Promise<Operations[Name]['result']> {
  const threads = operation === 'copy' ? onServers : onFiles;
  return new Promise((resolve, reject) => {
    if (Signal?.aborted) return reject(reasonOf(Signal));
    let thread: Thread | undefined;
    /** With what it ends, if it was stopped: whatever its worker answers then. */
    let stopped: { reason: unknown } | undefined;
    let settle: (() => void) | undefined;

    const stop = (reason: unknown) => {
      // what may have appeared already is not stopped any more
      if (thread !== undefined && Atomics.compareExchange(thread.cell, 0, RUNNING, STOPPED) === ALLOWED) return;
      stopped ??= { reason };
      if (!threads.giveUp(waiting)) return;
      end();
      reject(reason);
    };
    const onAbort = () => stop(reasonOf(Signal));
    const tell = (progress: SDS_OperationProgress) => {
      if (stopped !== undefined) return;
      try {
        OnProgress?.(progress);
      } catch (error) {
        stop(error);
        stopped ??= { reason: error };
      }
    };
    /** From here on the thread is another operation's, also before the signal's listener is gone. */
    const end = () => {
      if (Signal !== undefined) note(() => Signal.removeEventListener('abort', onAbort));
      thread?.worker.off('told', onMessage).off('error', onError).off('exit', onExit);
      thread = undefined;
    };
    const onMessage = (reply: OperationReply) => {
      if (reply.kind === 'progress') return tell(reply.progress);
      if (reply.kind === 'ready') return allow(thread);
      settle = () => finish(reply.outcome);
      if (reply.endThread || thread === undefined) return; // its end closes the file
      const used = thread;
      end();
      threads.giveBack(used);
      settle();
    };
    const finish = (outcome: OperationOutcome) => {
      if (stopped !== undefined || outcome.kind === 'stopped') return reject(stopped?.reason);
      if (outcome.kind === 'done') return resolve(outcome.result as Operations[Name]['result']);
      const { code, path, detail, cause } = outcome;
      reject(makeError(code, call, path, detail, cause && reviveCause(cause)));
    };
    const lost = (detail: string, cause?: unknown) => reject(makeError('worker-lost', call, given.path, detail, cause));
    const onError = (error: unknown) => {
      const detail = thread?.began === false ? 'no thread could be started' : 'its thread was lost; try again';
      settle ??= () => lost(detail, error);
    };
    const onExit = () => {
      const [hasBegun, told] = [thread?.began, settle];
      thread = settle = undefined;
      if (hasBegun === false && threads.beginAgain(waiting)) return;
      end();
      threads.ended();
      if (told !== undefined) return told();
      lost('its thread ended before the work was done; try again');
    };
    const waiting: WaitingOperation = {
      begin(own) {
        thread = own;
        if (stopped !== undefined) Atomics.store(own.cell, 0, STOPPED); // while there was none
        own.worker.on('told', onMessage).on('error', onError).on('exit', onExit);
        const request: OperationRequest = { operation, given };
        own.port.postMessage(request);
      },
      fail(error) {
        end();
        lost('no thread could be started', error);
      },
    };
    Signal?.addEventListener('abort', onAbort); // it may throw: nothing is begun yet
    if (stopped !== undefined) {
      end();
      return reject((stopped as { reason: unknown }).reason);
    }
    threads.ask(waiting);
  });
}

/** The caller has heard of all progress, and has not stopped it. */
function allow(thread: Thread | undefined): void {
  if (thread === undefined) return;
  Atomics.compareExchange(thread.cell, 0, RUNNING, ALLOWED);
  Atomics.notify(thread.cell, 0);
}

/** A signal may be of anybody's making. */
function reasonOf(signal: SDS_StopSignal | undefined): unknown {
  try {
    return signal?.reason;
  } catch (error) {
    return error;
  }
}
