/** A worker with its files: a thread that is lost gets a successor, with all providers and all that was left undone. */
import { MAX_FILES } from '../../protocol/control.ts';
import { failureOf, makeError, reviveError } from '../../protocol/errors.ts';
import type { Report } from '../../protocol/service.ts';
import type { SDS_Statistics } from '../../protocol/statistics.ts';
import { Channel } from '../channel/channel.ts';
import type { Location } from '../location.ts';
import { begin, log, tell } from '../observe/channels.ts';
import { inTheMiddle } from '../observe/notes.ts';
import { FileQueue } from '../queue/file-queue.ts';
import type { Member } from '../queue/member.ts';
import { sendAttach, sendDetach } from './attaching.ts';
import { Dispatcher } from './dispatcher.ts';
import { Restarts } from './restarts.ts';
import type { EngineKind } from './start-worker.ts';
import { WorkerLink } from './worker-link.ts';

const NO_THREAD = 'there is no worker thread, and none could be started; nothing was stored';
const MEMORY_LOST = 'the worker thread was lost, and this database, kept in memory, with it';

const ENDS_THREADS = 'worker threads ended again and again while they were at the work of this file';

/** What a worker needs of the others. */
export interface Pool {
  /** A thread of another worker, of the same kind, that can serve this one besides. */
  hostFor(guest: ReplaceableWorker): WorkerLink | undefined;
  /** Nothing new goes to a worker that was given up, or to a queue: its providers have been told. */
  forget(given: ReplaceableWorker | FileQueue): void;
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
  #nextFileId = 0;
  /** How many threads were lost, and why there will be no other one, if so. */
  #lost = 0;
  #lostReason: unknown;
  #isRecovering = false;

  /** Without a thread, if none can be started: see `lost`. */
  constructor(kind: EngineKind, pendingBytes: number, others: Pool) {
    this.kind = kind;
    this.#pool = others;
    this.dispatcher = new Dispatcher(pendingBytes, this.channel, () => this.#checkLife());
    this.#lostReason = this.#start();
    this.dispatcher.updateReference(); // as long as it serves no file, it keeps nothing alive
  }

  get lost(): boolean {
    return this.#link === undefined;
  }

  /** Whether it has no thread of its own, but is served by that of another worker. */
  get isGuest(): boolean {
    return this.#link?.isGuest ?? false;
  }

  /** Whether its thread, its own, serves other workers besides. */
  get hasGuests(): boolean {
    return !this.isGuest && (this.#link?.thread.served.size ?? 0) > 1;
  }

  /** Its own thread, if that is alive. */
  get ownThread(): WorkerLink | undefined {
    if (!this.#isRecovering) this.#checkLife();
    return this.#isRecovering || this.isGuest ? undefined : this.#link;
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
    if (this.lost) this.#abandon(queue, this.#lostReason, NO_THREAD);
    return queue;
  }

  closeFile(queue: FileQueue): void {
    this.#queues.delete(queue);
    this.#freeFileIds.push(queue.id);
  }

  /**
   * Makes a provider of the queue known to the thread, and opens its file; again, if that failed before. Nothing of the
   * program's runs between here and the sending: a thread that takes the place of this one is told of all providers.
   */
  attach(queue: FileQueue, member: Member, onEnd: (report: Report) => void): void {
    const trace = begin('open', () => ({ Path: member.dbPath, StoreId: member.storeId }));
    member.onAttach.push((report) => {
      trace?.end({}, report.error && reviveError(report.error, 'open', member.dbPath));
      log('open %s: %s', member.dbPath, report.error?.code ?? 'fine');
      onEnd(report);
    });
    const refusal = queue.refusalOf('open');
    if (refusal !== undefined) member.attached({ error: failureOf(refusal) });
    else if (this.#link !== undefined) sendAttach(this.#link, queue, member);
  }

  /** Makes the thread forget a provider, of which nothing is pending. */
  detach(queue: FileQueue, member: Member, onEnd: (report: Report) => void): void {
    member.onDetach = (report) => {
      log('close %s: %s', member.dbPath, report.error?.code ?? 'fine');
      onEnd(report);
    };
    if (queue.refusalOf('close') !== undefined) member.onDetach({});
    else if (this.#link !== undefined) sendDetach(this.#link, member);
  }

  /** Blocks until all that was called on any file is committed; false if nothing was for so long. */
  drain(patienceMs: number): boolean {
    return this.dispatcher.block(() => [...this.#queues].every((queue) => queue.finished), patienceMs);
  }

  postRest(): void {
    for (const queue of this.#queues) queue.postRest();
  }

  /** Blocks until the worker has closed its files, so that none of them is cut off in mid-work. */
  retire(patienceMs: number): void {
    if (this.#link === undefined || !this.channel.booted) return;
    this.#link.call((service) => service.retire());
    this.dispatcher.block(() => this.channel.retired, patienceMs);
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

  /** Starts a thread; returns why that failed, if so. */
  #start(): unknown {
    log('a worker starts');
    this.#restarts.started(this.channel.progress);
    try {
      this.dispatcher.link = WorkerLink.start(this.kind, this.dispatcher.memory.arena.buffer, this);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /** Fewer threads: that of another worker serves this one too. Returns whether there is one. */
  #becomeGuest(): boolean {
    const host = this.#pool.hostFor(this);
    if (host === undefined) return false;
    log('a worker serves the files of another one, for which there is no thread');
    this.dispatcher.link = host.serveAlso(this.dispatcher.memory.arena.buffer, this);
    return true;
  }

  /** Goes on in another thread, and gives it all that the lost one left undone; perhaps not in one of its own. */
  recover(reason: unknown): void {
    const lost = this.#link;
    if (lost === undefined || this.#isRecovering) return;
    this.#isRecovering = true;
    this.#lost++;
    // Node tells of a new thread within its constructor: who hears of it and calls is served once all is in place
    inTheMiddle(() => this.#replace(lost, reason));
    if (!this.lost) this.dispatcher.startAgain();
  }

  #replace(lost: WorkerLink, reason: unknown): void {
    lost.leave();
    const { wasAtWork } = lost.thread; // of all that it serves, as long as none of them has begun anew
    const { fileAtWork } = this.channel;
    tell('worker-lost', { Message: String(reason), Files: this.#queues.size });
    for (const queue of this.#queues) {
      if (queue.id !== fileAtWork) continue;
      queue.settle();
      if (!this.#restarts.mayTryAgain(queue)) this.#abandon(queue, reason, ENDS_THREADS);
    }
    // a thread that ended at a file's work says nothing about the next one, nor does that of another worker
    const vain = !wasAtWork && !lost.isGuest && !this.#restarts.mayGoOn(this.channel);
    const failed = vain ? reason : this.#start();
    const hasThread = failed === undefined || this.#becomeGuest();
    this.#isRecovering = false;
    if (hasThread) this.#goOn(reason);
    else this.#giveUp(failed);
  }

  /** Gives up a queue: whoever opens the database after that gets another one. */
  #abandon(queue: FileQueue, reason: unknown, detail: string): void {
    const refusalOf = (call: string) => makeError('worker-lost', call, queue.dbPath, detail, reason);
    this.#pool.forget(queue);
    this.#queues.delete(queue);
    queue.giveUp(refusalOf);
    this.dispatcher.forget(queue);
    for (const member of queue.members) {
      member.attached({ error: failureOf(refusalOf('open')) });
      member.onDetach?.({});
    }
  }

  #goOn(reason: unknown): void {
    tell('worker-replaced', { Files: this.#queues.size });
    for (const queue of this.#queues) if (queue.location.transient) this.#abandon(queue, reason, MEMORY_LOST);
    // first, since a provider is told of with what became of its calls
    for (const queue of this.#queues) queue.resume();
    if (this.#link !== undefined) this.#tellAgain(this.#link);
  }

  /** Tells a new thread of all providers; then of those that leave, of which nothing is pending. */
  #tellAgain(link: WorkerLink): void {
    for (const queue of this.#queues) for (const member of queue.members) sendAttach(link, queue, member);
    for (const queue of this.#queues)
      for (const member of queue.members) if (member.onDetach !== undefined) sendDetach(link, member);
  }

  #giveUp(reason: unknown): void {
    this.dispatcher.link = undefined;
    this.#lostReason = reason;
    this.#pool.forget(this);
    for (const queue of this.#queues) this.#abandon(queue, reason, NO_THREAD);
  }
}
