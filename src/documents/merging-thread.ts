/**
 * Runs merges in a thread of their own, one a process and started with the first of them: compacting a document takes as long as
 * opening it, and holds up neither the program nor what commits. Whatever becomes of the thread, each merge settles.
 */
import type { MessagePort, Worker } from 'node:worker_threads';
// the bundled src/worker/merging/entry.ts, put here by the build
import mergingCode from 'virtual:merging-code';
import { SDS_PersistenceError } from '../main/index.ts';
import { startWithPort } from '../main/workers/start-worker.ts';
import { OWNER } from '../protocol/control.ts';
import type { MergingLimits } from '../protocol/document-options.ts';
import { reviveCause } from '../protocol/errors.ts';
import type { MergeReply, MergeRequest } from '../protocol/merge-messages.ts';
import type { Parcel } from '../protocol/parcel.ts';
import { later, Promise } from '../protocol/surroundings.ts';
import { mergeFailed, NoMergeModule } from './merging.ts';
import { Turns } from './turns.ts';

/** The thread keeps what the largest document took, so it ends after some quiet. */
const QUIET_MS = 5000;
/** Nor does one that has merged so much merge another document: it would hold what is left of the one beside that. */
const LARGE_BYTES = 1024 * 1024;
/** A merge that takes longer will not end: the thread is at the lowest priority, so this is much more than it computes. */
const LONGEST_MS = 300_000;

interface Thread {
  worker: Worker;
  port: MessagePort;
  limits: string;
  /** To what it was asked last. */
  reply: PromiseWithResolvers<MergeReply> | undefined;
}

const turns = new Turns();
let thread: Thread | undefined;
let endsNot = () => {};

/**
 * Carries out a merge, after those that were asked for before. Its parts are passed on once it begins.
 *
 * @param limits - of the thread: one that was started with others is replaced
 * @throws NoMergeModule; `mergeFailed`; `worker-lost` if the thread has ended, also for want of memory
 */
export async function merge(request: MergeRequest, limits: MergingLimits): Promise<Parcel> {
  const reply = await turns.take(request.order.isWaitedFor, () => replyTo(request, limits));
  if ('merged' in reply) return reply.merged;
  const reason = reviveCause(reply.failure);
  throw reply.missing ? new NoMergeModule(reason) : mergeFailed(reason);
}

async function replyTo(request: MergeRequest, limits: MergingLimits): Promise<MergeReply> {
  endsNot();
  const wanted = JSON.stringify(limits);
  if (thread?.limits !== wanted) end();
  try {
    thread ??= start(limits, wanted);
    thread.port.postMessage(request, [request.parts.port]);
    const reply = Promise.withResolvers<MergeReply>(); // not before: nobody would listen to it if that throws
    thread.reply = reply;
    endsNot = later(() => {
      end(); // first of all: what comes next has another thread
      reply.reject(new Error(`not within ${LONGEST_MS / 1000} seconds`));
    }, LONGEST_MS);
    return await reply.promise;
  } catch (reason) {
    throw lost(reason);
  } finally {
    endsNot();
    if (request.parts.length >= LARGE_BYTES) end();
    else endsNot = later(end, QUIET_MS);
  }
}

function start(resourceLimits: MergingLimits, limits: string): Thread {
  const [worker, port] = startWithPort(mergingCode(), 'sds-merging', { owner: OWNER }, resourceLimits);
  const started: Thread = { worker, port, limits, reply: undefined };
  let reason: unknown;
  worker.on('told', (reply: MergeReply) => started.reply?.resolve(reply));
  port.on('messageerror', (error) => started.reply?.reject(error));
  worker.on('error', (error) => {
    reason = error;
  });
  worker.on('exit', () => {
    if (thread === started) thread = undefined;
    started.reply?.reject(reason);
  });
  worker.unref(); // behind the listeners, which count
  return started;
}

function end(): void {
  const ended = thread;
  thread = undefined;
  void ended?.worker.terminate();
}

function lost(reason: unknown): SDS_PersistenceError {
  const why = reason instanceof Error ? reason.message : 'it has ended';
  const message = `the thread that merges documents has given no answer (${why}); nothing was changed`;
  return new SDS_PersistenceError('worker-lost', message, reason === undefined ? undefined : { cause: reason });
}
