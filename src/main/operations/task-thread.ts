/**
 * Runs operations on whole files, each in a worker thread of its own, which is neither the calling thread nor one
 * that commits. A thread that has nothing to do is used again if another operation comes soon.
 */
import { readFile, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
// the bundled src/worker/operations/copying/entry.ts
import copyingCode from 'virtual:copying-code';
// the bundled src/worker/operations/files/entry.ts, put here by the build
import filesCode from 'virtual:files-code';
import { OWNER } from '../../protocol/control.ts';
import { makeError, reviveCause } from '../../protocol/errors.ts';
import {
  type Gauge,
  HEARD,
  type LookWay,
  type OperationData,
  type OperationReply,
  type OperationRequest,
  type OperationTask,
  type OperationTasks,
  STOP,
} from '../../protocol/operation-messages.ts';
import type { SDS_OperationOptions, SDS_OperationProgress, SDS_StopSignal } from '../../protocol/operations.ts';
import { later, Promise } from '../../protocol/surroundings.ts';
import { note } from '../observe/notes.ts';
import { traffic } from '../observe/traffic.ts';
import { startThread } from '../workers/start-worker.ts';

/** Starting a thread takes some 30 ms: a folder of a thousand files would wait for half a minute. */
const KEEP_MS = 1000;
const GAUGE_EVERY_MS = 250;
/** More at once are slower, and each is a thread with its memory: the others wait for their turn. */
const MOST_AT_ONCE = Math.min(Math.max(availableParallelism(), 2), 4);

interface Thread {
  worker: Worker;
  /** Whether it got as far as to run anything. */
  began: boolean;
  cells: Int32Array;
  /** Lets it live on, if it is about to be ended. */
  keep: () => void;
}

const idle: Thread[] = [];

function newThread(code: string): Thread {
  const cells = new SharedArrayBuffer(8);
  const data: OperationData = { owner: OWNER, cells, traffic: traffic.buffer };
  const worker = startThread(code, 'sds-maintenance', data);
  const thread: Thread = { worker, began: false, cells: new Int32Array(cells), keep: () => {} };
  worker.once('online', () => {
    thread.began = true;
  });
  worker.on('exit', () => forget(thread));
  return thread;
}

function forget(thread: Thread): void {
  thread.keep();
  const index = idle.indexOf(thread);
  if (index >= 0) idle.splice(index, 1);
}

function takeThread(): Thread {
  const thread = idle.pop() ?? newThread(filesCode());
  thread.keep();
  thread.worker.ref();
  thread.cells.fill(0);
  return thread;
}

/** It has closed its files: ending it now can't be in the middle of anything. */
function giveBack(thread: Thread): void {
  thread.worker.unref();
  thread.keep = later(() => {
    forget(thread);
    void thread.worker.terminate();
  }, KEEP_MS);
  idle.push(thread);
}

interface Turn {
  /** Throws if there is no thread to be had. */
  begin(): void;
  fail(error: unknown): void;
}

/** Who may work: some at a time, the others after them. */
class Turns {
  readonly #waiting: Turn[] = [];
  #working = 0;

  ask(turn: Turn, isNext: boolean): void {
    if (isNext) this.#waiting.unshift(turn);
    else this.#waiting.push(turn);
    this.#goOn();
  }

  /** Returns whether it was still waiting. */
  giveUp(turn: Turn): boolean {
    const index = this.#waiting.indexOf(turn);
    if (index >= 0) this.#waiting.splice(index, 1);
    return index >= 0;
  }

  ended(): void {
    this.#working--;
    this.#goOn();
  }

  /** For one whose thread could not begin: it gets that of another one, if there is any. */
  beginAgain(turn: Turn): boolean {
    if (this.#working === 1 && idle.length === 0) return false;
    this.#working--;
    this.#waiting.unshift(turn);
    if (idle.length > 0) this.#goOn();
    return true;
  }

  #goOn(): void {
    while (this.#working < MOST_AT_ONCE) {
      const turn = this.#waiting.shift();
      if (turn === undefined) return;
      this.#working++; // before it begins: Node tells of its thread, and who hears of that may ask for a turn
      try {
        turn.begin();
      } catch (error) {
        this.#working--;
        if (this.#working > 0) {
          this.#waiting.unshift(turn); // as `beginAgain`
          return;
        }
        turn.fail(error);
      }
    }
  }
}

const onFiles = new Turns();
/** Most of the time these wait for a server. */
const onServers = new Turns();

export interface TaskOptions extends SDS_OperationOptions {
  /** Told once the file is open, and how it is read. */
  OnOpened?: (way: LookWay) => void;
  /** The other half of one that is at work: it goes before those that have not begun. */
  IsNext?: boolean;
}

/** A file changed while it was read without a lock: trying again may help. */
export const changed = new WeakSet<object>();

/**
 * Carries out a task; rejects with the signal's reason once everything of a stopped one is cleaned up. `options` are
 * plain properties: nothing runs when they are read.
 */
export function runTask<Task extends OperationTask>(
  task: Task,
  call: string,
  given: OperationTasks[Task]['given'],
  options: TaskOptions,
): Promise<OperationTasks[Task]['result']> {
  const { OnProgress, Signal, OnOpened, IsNext = false } = options;
  const turns = task === 'copy' ? onServers : onFiles;
  const path = 'path' in given ? given.path : given.source;
  return new Promise((resolve, reject) => {
    if (Signal?.aborted) return reject(reasonOf(Signal));
    let thread: Thread | undefined;
    const gauges = new Gauges(tell);
    let thrown: { error: unknown } | undefined;
    let settle: (() => void) | undefined;
    let stopped = false;
    const ask = () => {
      stopped = true;
      if (thread !== undefined) Atomics.store(thread.cells, STOP, 1);
      else if (turns.giveUp(turn)) {
        end();
        reject(reasonOf(Signal));
      }
    };

    function tell(progress: SDS_OperationProgress): void {
      if (thrown !== undefined) return;
      try {
        OnProgress?.(progress);
      } catch (error) {
        thrown = { error };
        ask();
      }
    }
    const leave = () => thread?.worker.off('message', onMessage).off('error', onError).off('exit', onExit);
    const end = () => {
      gauges.stop();
      if (Signal !== undefined) note(() => Signal.removeEventListener('abort', ask));
      leave();
    };
    const onMessage = (reply: OperationReply) => {
      if (reply.kind === 'progress') {
        gauges.follow(reply.progress, reply.gauge);
        tell(reply.progress);
        if (thread === undefined) return;
        Atomics.add(thread.cells, HEARD, 1);
        Atomics.notify(thread.cells, HEARD);
        return;
      }
      if (reply.kind === 'opened') return OnOpened?.(reply.way);
      settle = () => finish(reply);
      if (reply.endThread) return; // its end closes the file
      end();
      if (thread !== undefined) giveBack(thread);
      turns.ended();
      settle();
    };
    const finish = (reply: Exclude<OperationReply, { kind: 'progress' | 'opened' }>) => {
      if (thrown !== undefined) return reject(thrown.error as Error);
      if (reply.kind === 'done') return resolve(reply.result as OperationTasks[Task]['result']);
      if (reply.kind === 'stopped') return reject(reasonOf(Signal));
      const cause = reply.cause === undefined ? undefined : reviveCause(reply.cause);
      const error = makeError(reply.code, call, reply.path, reply.detail, cause);
      if (reply.changed) changed.add(error);
      reject(error);
    };
    const onError = (error: unknown) => {
      settle ??= () => reject(makeError('worker-lost', call, path, 'its thread was lost; try again', error));
    };
    const onExit = () => {
      const [hasBegun, told] = [thread?.began, settle];
      leave();
      thread = settle = undefined;
      if (hasBegun === false && turns.beginAgain(turn)) return;
      end();
      turns.ended();
      if (told !== undefined) return told();
      reject(makeError('worker-lost', call, path, 'its thread ended before the work was done; try again'));
    };
    const turn: Turn = {
      begin() {
        // what copies stores does so once
        thread = task === 'copy' ? newThread(copyingCode()) : takeThread();
        if (stopped) ask(); // while there was none
        thread.worker.on('message', onMessage).on('error', onError).on('exit', onExit);
        const request: OperationRequest = { task, call, given };
        thread.worker.postMessage(request);
      },
      fail(error) {
        end();
        reject(makeError('worker-lost', call, path, 'no thread could be started', error));
      },
    };
    Signal?.addEventListener('abort', ask); // it may throw: nothing is begun yet
    if (stopped) {
      end();
      return reject(reasonOf(Signal));
    }
    turns.ask(turn, IsNext);
  });
}

/** A signal may be of anybody's making. */
function reasonOf(signal: SDS_StopSignal | undefined): unknown {
  try {
    return signal?.reason;
  } catch (error) {
    return error;
  }
}

/** Progress of native calls, which say nothing themselves: seen from outside while they run. */
class Gauges {
  readonly #tell: (progress: SDS_OperationProgress) => void;
  #followed: Gauge | undefined;

  constructor(tell: (progress: SDS_OperationProgress) => void) {
    this.#tell = tell;
  }

  follow(progress: SDS_OperationProgress, gauge: Gauge | undefined): void {
    this.#followed = gauge;
    if (gauge === undefined) return;
    let start: number | undefined;
    let done = 0;
    const look = async () => {
      const measured = await measure(gauge);
      if (this.#followed !== gauge) return;
      start ??= gauge.file === undefined ? (measured ?? 0) : 0;
      // what is read twice, or written beside the data, counts as well
      done = Math.max(done, Math.min((measured ?? 0) - start, progress.Total));
      this.#tell({ ...progress, Done: done });
      later(look, GAUGE_EVERY_MS);
    };
    later(look, GAUGE_EVERY_MS);
  }

  stop(): void {
    this.#followed = undefined;
  }
}

async function measure({ thread = 0, file }: Gauge): Promise<number | undefined> {
  try {
    if (file !== undefined) return (await stat(file)).size;
    if (thread === 0) return undefined;
    return Number(/^rchar: (\d+)/.exec(await readFile(`/proc/self/task/${thread}/io`, 'utf8'))?.[1]);
  } catch {
    return undefined; // renamed by now, or not told by this system: the last figure holds
  }
}
