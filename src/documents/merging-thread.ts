/**
 * Runs merges in a thread of their own, one a process and started with the first of them: compacting a document takes as long as
 * opening it, and holds up neither the program nor what commits. Whatever becomes of the thread, each merge settles.
 */
import type { Worker } from 'node:worker_threads';
// the bundled src/worker/merging/entry.ts, put here by the build
import mergingCode from 'virtual:merging-code';
import { SDS_PersistenceError } from '../main/index.ts';
import { startThread } from '../main/workers/start-worker.ts';
import { OWNER } from '../protocol/control.ts';
import type { MergingLimits } from '../protocol/document-options.ts';
import { reviveCause } from '../protocol/errors.ts';
import type { MergeReply, MergeRequest, MergingData } from '../protocol/merging.ts';
import type { Parcel } from '../protocol/parcel.ts';
import { later, Promise } from '../protocol/surroundings.ts';
import { mergeFailed, NoMergeModule } from './merging.ts';

/** The thread keeps what the largest document took, so it ends after some quiet. */
const QUIET_MS = 5000;
/** Nor does one that has merged so much merge another document: it would hold what is left of the one beside that. */
const LARGE_BYTES = 1024 * 1024;
/** A merge that takes longer will not end: the thread is at the lowest priority, so this is much more than it computes. */
const LONGEST_MS = 300_000;

export interface MergeJob extends MergeRequest {
  /** Of the thread; one that was started with others is replaced. */
  limits: MergingLimits;
  /** Whether somebody waits: it comes before those that nobody waits for, and the process lives until it is done. */
  isWaitedFor: boolean;
}

interface Waiting {
  job: MergeJob;
  resolve(merged: Parcel[]): void;
  reject(error: Error): void;
}

interface Thread {
  worker: Worker;
  limits: string;
  /** Whether what it has merged was large. */
  isUsedUp: boolean;
}

const waiting: Waiting[] = [];
let current: Waiting | undefined;
let thread: Thread | undefined;
let endsNot = () => {};
/** How many wait for a merge that was begun without them. */
let joined = 0;

/**
 * Carries out a merge, after those that were asked for before. Its parts are passed on once it begins.
 *
 * @throws NoMergeModule; SDS_PersistenceError `database-corrupt`, with what was thrown as its cause; `worker-lost` if the thread has
 *   ended, also for want of memory
 */
export function merge(job: MergeJob): Promise<Parcel[]> {
  const { promise, resolve, reject } = Promise.withResolvers<Parcel[]>();
  const at = job.isWaitedFor ? waiting.findIndex((other) => !other.job.isWaitedFor) : -1;
  waiting.splice(at < 0 ? waiting.length : at, 0, { job, resolve, reject });
  goOn();
  stayAlive();
  return promise;
}

/** Waits for what a merge is part of, which was begun when nobody waited for it, and whose outcome is told elsewhere. */
export async function join(work: Promise<unknown>): Promise<void> {
  joined++;
  stayAlive();
  await Promise.allSettled([work]);
  joined--;
  stayAlive();
}

function goOn(): void {
  while (current === undefined) {
    const next = waiting.shift();
    if (next === undefined) return;
    current = next;
    try {
      begin(next.job);
    } catch (error) {
      finish((job) => job.reject(lost(error)));
    }
  }
}

/** As long as somebody waits, also behind what nobody waits for. */
function stayAlive(): void {
  const isWaitedFor = joined > 0 || current?.job.isWaitedFor || waiting.some(({ job }) => job.isWaitedFor);
  if (isWaitedFor) thread?.worker.ref();
  else thread?.worker.unref();
}

function begin(job: MergeJob): void {
  endsNot();
  const limits = JSON.stringify(job.limits);
  if (thread !== undefined && thread.limits !== limits) end();
  thread ??= start(job.limits, limits);
  const { worker } = thread;
  endsNot = later(() => void worker.terminate(), LONGEST_MS);
  const { source, order, parts } = job;
  thread.isUsedUp = parts.length >= LARGE_BYTES;
  const request: MergeRequest = { source, order, parts };
  worker.postMessage(request, [parts.port]);
}

function start(resourceLimits: MergingLimits, limits: string): Thread {
  const data: MergingData = { owner: OWNER };
  const worker = startThread(mergingCode(), 'sds-merging', data, resourceLimits);
  const started = { worker, limits, isUsedUp: false };
  let reason: unknown;
  worker.on('message', (reply: MergeReply) => {
    if (thread === started) finish((job) => settle(job, reply));
  });
  worker.on('messageerror', (error) => {
    if (thread === started) finish((job) => job.reject(lost(error)));
  });
  worker.on('error', (error) => {
    reason = error;
  });
  worker.on('exit', () => {
    if (thread !== started) return;
    thread = undefined;
    finish((job) => job.reject(lost(reason)));
  });
  return started;
}

function settle({ resolve, reject }: Waiting, reply: MergeReply): void {
  if ('merged' in reply) resolve(reply.merged);
  else if (reply.missing) reject(new NoMergeModule(reply.failure.message));
  else reject(mergeFailed(reviveCause(reply.failure)));
}

/** Whatever has become of the current one: the next one follows. */
function finish(tell: (job: Waiting) => void): void {
  endsNot();
  const job = current;
  current = undefined;
  if (thread?.isUsedUp) end();
  if (job !== undefined) tell(job);
  goOn();
  stayAlive();
  if (current === undefined && thread !== undefined) endsNot = later(end, QUIET_MS);
}

function end(): void {
  const ended = thread;
  thread = undefined;
  void ended?.worker.terminate();
}

function lost(reason: unknown): SDS_PersistenceError {
  const why = reason instanceof Error ? ` (${reason.message})` : '';
  const message = `the thread that merges documents has ended${why}; nothing was changed: it is tried again`;
  return new SDS_PersistenceError('worker-lost', message, reason === undefined ? undefined : { cause: reason });
}
