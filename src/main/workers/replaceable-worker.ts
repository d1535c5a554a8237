/** A worker with its files: a thread that is lost gets a successor, with all providers and all that was left undone. */
import { MAX_FILES } from '../../protocol/control.ts';
import { type Failure, failureOf, makeError, reportedOf, reviveError } from '../../protocol/errors.ts';
import type { Location, Report } from '../../protocol/service.ts';
import type { SDS_Statistics } from '../../protocol/statistics.ts';
import { Channel } from '../channel/channel.ts';
import { begin, log, tell } from '../observe/channels.ts';
import { isExiting } from '../observe/notes.ts';
import { FileQueue } from '../queue/file-queue.ts';
import type { Member } from '../queue/member.ts';
import { sendAttach, sendDetach } from './attaching.ts';
import { Dispatcher } from './dispatcher.ts';
import { Restarts } from './restarts.ts';
import { WorkerLink } from './worker-link.ts';
import type { EngineKind } from './worker-thread.ts';

const NO_THREAD = 'there is no worker thread, and none could be started; nothing was stored: call again';
const MEMORY_LOST = 'the worker thread was lost, and this database, kept in memory, with it; make another provider';

const ENDS_THREADS = 'worker threads ended again and again while they were at the work of this file';

/** What a worker needs of the others. */
export interface Pool {
  /** A thread of another worker, of the same kind, that can serve this one besides. */
  hostFor(guest: ReplaceableWorker): WorkerLink | undefined;
  /** Nothing new goes to a queue that was given up: its providers have been told. */
  forget(given: FileQueue): void;
}

export class ReplaceableWorker {
  readonly kind: EngineKind;
  readonly channel = new Channel();
  readonly dispatcher: Dispatcher;
  readonly #restarts = new Restarts();
  /** Those that are not given up. */
  readonly #queues = new Set<FileQueue>();
  readonly #freeFileIds: number[] = [];
  readonly #pool: Pool;
  /** How far those files were that were waited for in vain. */
  readonly #givenUpAt = new WeakMap<FileQueue, number>();
  #nextFileId = 0;
  /** How many threads were lost. */
  #lost = 0;
  /** Why there is none, if so. */
  #reason: unknown;
  /** Whether another one is on its way: foreign code that is told of new threads (`worker_threads`) may call meanwhile. */
  #isRecovering = false;

  /** Without a thread, if none can be started: see `hasThread`. */
  constructor(kind: EngineKind, pendingBytes: number, others: Pool) {
    this.kind = kind;
    this.#pool = others;
    this.dispatcher = new Dispatcher(pendingBytes, this.channel, {
      work: () => {
        this.#checkLife();
        return this.#link?.thread.work;
      },
      startThread: () => this.#startAgain(),
    });
    this.#start();
    this.dispatcher.updateReference(); // as long as it serves no file, it keeps nothing alive
  }

  get hasThread(): boolean {
    return this.#link !== undefined;
  }

  /** Whether it is not served by the thread of another worker, or by none. */
  get hasOwnThread(): boolean {
    return this.#link?.isGuest === false;
  }

  /** Whether its thread, its own, serves other workers besides. */
  get hasGuests(): boolean {
    return this.hasOwnThread && (this.#link?.thread.served.size ?? 0) > 1;
  }

  /** Its own thread, if that is alive. */
  get ownThread(): WorkerLink | undefined {
    this.#checkLife();
    return this.hasOwnThread ? this.#link : undefined;
  }

  get #link(): WorkerLink | undefined {
    return this.dispatcher.link;
  }

  get fileCount(): number {
    return this.#queues.size;
  }

  get figures(): SDS_Statistics['Worker'] {
    const { checkpoints, checkpointMicroseconds } = this.channel;
    const { pendingBytes, arena, blocks } = this.dispatcher.memory;
    return {
      Restarts: this.#lost,
      Checkpoints: checkpoints,
      CheckpointMs: checkpointMicroseconds / 1000,
      PendingBytes: pendingBytes,
      SharedBytes: arena.buffer.byteLength + blocks.bytes,
    };
  }

  openFile(location: Location): FileQueue {
    const { path: dbPath } = location;
    const id = this.#freeFileIds.pop() ?? this.#nextFileId++;
    if (id >= MAX_FILES) {
      throw makeError('open-failed', 'open', dbPath, `this worker has ${MAX_FILES} files open already`);
    }
    const queue = new FileQueue(id, this.dispatcher, location);
    this.#queues.add(queue);
    return queue;
  }

  closeFile(queue: FileQueue): void {
    this.#queues.delete(queue);
    this.#freeFileIds.push(queue.id);
  }

  /**
   * Makes a provider of the queue known to the thread, and opens its file; again, if that failed before. A thread that takes the place of
   * this one is told of all providers.
   */
  attach(queue: FileQueue, member: Member, onEnd: (report: Report) => void): void {
    const trace = begin('open', () => ({ Path: member.dbPath, StoreId: member.storeId }));
    member.onAttach.push((report) => {
      trace?.end({}, report.failure && reviveError(report.failure, 'open', member.dbPath));
      log('open %s: %s', member.dbPath, report.failure?.code ?? 'fine');
      onEnd(report);
    });
    const refusal = queue.refusalOf('open');
    if (refusal !== undefined) member.attached({ failure: failureOf(refusal) });
    else if (this.#link !== undefined) sendAttach(this.#link, queue, member);
    else this.#startAgain(); // all providers are told
  }

  /** Makes the thread forget a provider, of which nothing is pending. */
  detach(queue: FileQueue, member: Member, onEnd: (report: Report) => void): void {
    member.onDetach = (report) => {
      log('close %s: %s', member.dbPath, report.failure?.code ?? 'fine');
      onEnd(report);
    };
    if (queue.refusalOf('close') !== undefined || this.#link === undefined) member.onDetach({});
    else sendDetach(this.#link, member);
  }

  /** Blocks, in pieces, until all that was called on any file is committed; false if nothing was for so long, or there is no thread. */
  *draining(patienceMs: number): Generator<void, boolean, void> {
    const isDone = () => this.#unfinished.length === 0;
    yield* this.dispatcher.waiting(isDone, patienceMs);
    return isDone();
  }

  /** Those with calls that are not committed, but for those that were waited for in vain and have not got on since. */
  get #unfinished(): FileQueue[] {
    return [...this.#queues].filter((queue) => !queue.finished && this.#givenUpAt.get(queue) !== queue.commitPoint);
  }

  /** Does not wait again for the files with calls that are not committed, until they get on; returns which they are. */
  giveUp(): string[] {
    return this.#unfinished.map((queue) => {
      this.#givenUpAt.set(queue, queue.commitPoint);
      return queue.dbPath;
    });
  }

  /** Blocks, in pieces, until the worker has closed its files, so that none of them is cut off in mid-work; false if it takes longer. */
  *retiring(patienceMs: number): Generator<void, boolean, void> {
    if (this.#link === undefined || !this.channel.booted) return true;
    this.#link.call((service) => service.retire());
    return yield* this.dispatcher.waiting(() => this.channel.retired, patienceMs);
  }

  /** Ends its thread, which has no file; there will be no other one. */
  end(): void {
    log('a worker without files ends');
    this.#link?.depart();
    this.dispatcher.end();
  }

  #checkLife(): void {
    const end = this.#link?.checkLife();
    if (end !== undefined) this.recover(end);
  }

  /** Starts a thread; returns whether there is one. */
  #start(): boolean {
    log('a worker starts');
    this.#restarts.started(this.channel.progress);
    try {
      this.dispatcher.link = WorkerLink.start(this.kind, this.dispatcher.memory.arena.buffer, this);
      return true;
    } catch (error) {
      this.#reason = error;
      return false;
    }
  }

  /** Fewer threads: that of another worker serves this one too. Returns whether there is one. */
  #becomeGuest(): boolean {
    const host = this.#pool.hostFor(this);
    if (host === undefined) return false;
    log('a worker serves the files of another one, for which there is no thread');
    this.#restarts.started(this.channel.progress);
    this.dispatcher.link = host.serveAlso(this.dispatcher.memory.arena.buffer, this);
    return true;
  }

  /** Goes on in another thread, and gives it all that the lost one left undone; perhaps not in one of its own. */
  recover(reason: unknown): void {
    const lost = this.#link;
    if (lost === undefined) return;
    this.#isRecovering = true;
    this.#lost++;
    lost.leave();
    const { wasAtWork } = lost.thread; // of all that it serves, as long as none of them has begun anew
    const { fileAtWork } = this.channel;
    tell('worker-lost', { Message: String(reason), Files: this.#queues.size });
    for (const queue of this.#queues) {
      queue.settle();
      if (queue.livesInThread) this.#abandon(queue, reason, MEMORY_LOST);
      else if (queue.id === fileAtWork && !this.#restarts.mayTryAgain(queue))
        this.#abandon(queue, reason, ENDS_THREADS);
    }
    // a thread that ended at a file's work says nothing about the next one
    const mayGoOn = wasAtWork || this.#restarts.mayGoOn(this.channel);
    this.dispatcher.link = undefined;
    this.#reason = reason;
    this.#goOn(mayGoOn && this.#start());
  }

  /** There was no thread, and something is called: asks for one again, though not at each call. */
  #startAgain(): void {
    if (this.#isRecovering) return;
    this.#isRecovering = true;
    this.#goOn((isExiting() || this.#restarts.mayStartAnew) && this.#start());
  }

  /** Gives up a queue: whoever opens the database after that gets another one. */
  #abandon(queue: FileQueue, reason: unknown, detail: string): void {
    this.#pool.forget(queue);
    this.#queues.delete(queue);
    this.#refuse(queue, reason, detail, true);
  }

  /** Refuses all that is pending on a file; and, if it is for good, all that will come. */
  #refuse(queue: FileQueue, reason: unknown, detail: string, isForGood: boolean): void {
    const failure: Failure = { code: 'worker-lost', detail, cause: reportedOf(reason) };
    this.dispatcher.forget(queue);
    queue.refuseAll((call) => makeError('worker-lost', call, queue.dbPath, detail, reason), isForGood);
    for (const member of queue.members) {
      member.attached({ failure });
      member.onDetach?.({});
    }
  }

  /** With a thread, its own or that of another worker; or without one, for now. */
  #goOn(hasOwn: boolean): void {
    const hasThread = hasOwn || this.#becomeGuest();
    this.#isRecovering = false;
    if (!hasThread) {
      for (const queue of this.#queues) this.#refuse(queue, this.#reason, NO_THREAD, false);
      return;
    }
    tell('worker-replaced', { Files: this.#queues.size });
    // first, because a provider is told of with what became of its calls
    for (const queue of this.#queues) queue.resume();
    if (this.#link !== undefined) this.#tellAgain(this.#link);
    this.dispatcher.updateReference(); // there may be no file left
  }

  /** Tells a new thread of all providers; then of those that leave, of which nothing is pending. */
  #tellAgain(link: WorkerLink): void {
    for (const queue of this.#queues) for (const member of queue.members) sendAttach(link, queue, member);
    for (const queue of this.#queues)
      for (const member of queue.members) if (member.onDetach !== undefined) sendDetach(link, member);
  }
}
