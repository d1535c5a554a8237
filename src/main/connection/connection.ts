/**
 * What belongs to one worker, from its files to its life: a thread that is lost gets a successor, which is
 * told of all providers and given all that was left undone.
 */
import { MAX_FILES } from '../../protocol/control.ts';
import { makeError, reviveError } from '../../protocol/errors.ts';
import type { Report } from '../../protocol/service.ts';
import { Channel } from '../channel/channel.ts';
import { begin, log, tell } from '../observe/channels.ts';
import { inTheMiddle } from '../observe/notes.ts';
import type { WorkerFigures } from '../observe/statistics.ts';
import type { Place } from '../place.ts';
import { FileQueue } from '../queue/file-queue.ts';
import type { Member } from '../queue/member.ts';
import { Dispatcher } from './dispatcher.ts';
import { lostReport, Registry } from './registry.ts';
import { Restarts } from './restarts.ts';
import { Session } from './session.ts';
import type { EngineKind } from './start-worker.ts';

const MEMORY_LOST = 'the worker thread was lost, and this database, kept in memory, with it';

export class Connection {
  readonly kind: EngineKind;
  readonly #channel = new Channel();
  readonly #dispatcher: Dispatcher;
  readonly #registry = new Registry();
  readonly #restarts = new Restarts();
  readonly #queues = new Set<FileQueue>();
  readonly #freeFileIds: number[] = [];
  readonly #onLost: (connection: Connection) => void;
  #nextFileId = 0;
  /** How many threads were lost, and why there will be no other one, if so. */
  #lost = 0;
  #lostReason: unknown;

  constructor(kind: EngineKind, pendingBytes: number, onLost: (connection: Connection) => void) {
    this.kind = kind;
    this.#onLost = onLost;
    this.#dispatcher = new Dispatcher(pendingBytes, this.#channel, () => this.#checkLife());
    try {
      this.#start();
      this.#dispatcher.updateReference(); // as long as it serves no file, it keeps nothing alive
    } catch (error) {
      this.#lostReason = error;
    }
  }

  get lost(): boolean {
    return this.#session === undefined;
  }

  get #session(): Session | undefined {
    return this.#dispatcher.session;
  }

  get fileCount(): number {
    return this.#queues.size;
  }

  get figures(): WorkerFigures {
    const { checkpoints, checkpointMicroseconds } = this.#channel;
    const { pendingBytes, arena, blocks } = this.#dispatcher.memory;
    return {
      restarts: this.#lost,
      checkpoints,
      checkpointMs: checkpointMicroseconds / 1000,
      pendingBytes,
      sharedBytes: arena.byteLength + blocks.bytes,
    };
  }

  // ---- files and providers ------------------------------------------------------------------

  openFile(place: Place): FileQueue {
    const { path: dbPath } = place;
    const id = this.#freeFileIds.pop() ?? this.#nextFileId++;
    if (id >= MAX_FILES) {
      throw makeError('open-failed', 'open', dbPath, `this worker has ${MAX_FILES} files open already`);
    }
    const queue = new FileQueue(id, this.#dispatcher, place);
    this.#queues.add(queue);
    if (this.lost) queue.giveUp((call) => makeError('worker-lost', call, dbPath, undefined, this.#lostReason));
    return queue;
  }

  closeFile(queue: FileQueue): void {
    this.#queues.delete(queue);
    this.#freeFileIds.push(queue.id);
  }

  newMemberId(): number {
    return this.#registry.newId();
  }

  async attach(queue: FileQueue, member: Member): Promise<Report> {
    const trace = begin('open', () => ({ Path: member.dbPath, StoreId: member.storeId }));
    const report =
      this.#session === undefined
        ? lostReport(member.dbPath)
        : await this.#registry.attach(this.#session, queue, member);
    trace?.end({}, report.error && reviveError(report.error, 'open', member.dbPath));
    log('open %s: %s', member.dbPath, report.error?.code ?? 'fine');
    if (report.sqliteVersion !== undefined) this.#dispatcher.sqliteVersion = report.sqliteVersion;
    return report;
  }

  async detach(member: Member): Promise<Report> {
    if (this.#session === undefined) return {};
    const report = await this.#registry.detach(this.#session, member);
    log('close %s: %s', member.dbPath, report.error?.code ?? 'fine');
    return report;
  }

  // ---- blocking, and the end of the process ----------------------------------------------------

  /** Blocks until a condition holds: see `Dispatcher.block`. */
  block(until: () => boolean, patienceMs: number, totalMs?: number): boolean {
    return this.#dispatcher.block(until, patienceMs, totalMs);
  }

  /** Blocks until all that was called on any file is committed. */
  drain(patienceMs: number): boolean {
    return this.block(() => [...this.#queues].every((queue) => queue.finished), patienceMs);
  }

  /** Blocks until the worker has closed its files, so that none of them is cut off in mid-work. */
  retire(patienceMs: number): void {
    if (this.#session === undefined || !this.#channel.booted) return;
    this.#session.call(
      (service) => service.retire(),
      () => {},
    );
    this.block(() => this.#channel.retired, patienceMs);
  }

  endWhenCommitted(): void {
    this.#dispatcher.endWhenCommitted();
  }

  get idle(): boolean {
    return this.#dispatcher.idle;
  }

  /** Ends its thread, which has no file; there will be no other one. */
  end(): void {
    log('a worker without files ends');
    this.#session?.leave();
    this.#dispatcher.end();
  }

  // ---- the worker's life ------------------------------------------------------------------------

  #checkLife(): void {
    const life = this.#session?.checkLife() ?? 'alive';
    if (life === 'ended') this.#recover(new Error('the worker thread has ended'));
    else if (life === 'never began') this.#giveUp(new Error('the worker thread did not start'));
  }

  #start(): void {
    log('a worker starts');
    this.#restarts.started(this.#channel.progress);
    this.#dispatcher.session = new Session(
      this.kind,
      this.#channel,
      this.#dispatcher.memory.arena,
      (reason) => this.#recover(reason),
      () => this.#dispatcher.updateReference(),
    );
  }

  /** Starts a new worker and gives it all that the lost one left undone. */
  #recover(reason: unknown): void {
    if (this.lost) return;
    this.#session?.leave();
    this.#lost++;
    // Node tells of a new thread within its constructor: who hears of it and calls is served once all is in place
    inTheMiddle(() => this.#replace(reason));
    if (!this.lost) this.#dispatcher.startAgain();
  }

  #replace(reason: unknown): void {
    tell('worker-lost', { Message: String(reason), Files: this.#queues.size });
    if (!this.#restarts.mayGoOn(this.#channel.progress)) {
      this.#giveUp(reason);
      return;
    }
    try {
      this.#start();
    } catch (error) {
      this.#giveUp(error);
      return;
    }
    tell('worker-replaced', { Files: this.#queues.size });
    for (const queue of this.#queues) if (queue.transient) this.#giveUpQueue(queue, reason, MEMORY_LOST);
    // first, since a provider is told of with what became of its calls
    for (const queue of this.#queues) queue.resume();
    if (this.#session !== undefined) this.#registry.attachAll(this.#session);
    if (this.#session !== undefined) this.#registry.detachAgain(this.#session);
  }

  #giveUp(reason: unknown): void {
    this.#session?.leave();
    this.#dispatcher.session = undefined;
    this.#lostReason = reason;
    this.#onLost(this);
    for (const queue of this.#queues) this.#giveUpQueue(queue, reason);
    this.#registry.giveUp();
  }

  #giveUpQueue(queue: FileQueue, reason: unknown, detail?: string): void {
    queue.giveUp((call) => makeError('worker-lost', call, queue.dbPath, detail, reason));
    this.#dispatcher.forget(queue);
  }
}
