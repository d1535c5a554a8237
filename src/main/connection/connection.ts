/**
 * The connection to one worker: sends what its files' queues have gathered, settles what the worker has
 * finished, blocks the thread where that is asked for, and goes on with another worker if one is lost.
 */
import { transfer } from 'comlink';
import { MAX_FILES, WANTED_BY_BLOCKED, WANTED_LATER, WANTED_NOW } from '../../protocol/control.ts';
import { APPEND_PATCH, LOAD_PATCHES, LOAD_SNAPSHOT, SAVE_SNAPSHOT } from '../../protocol/entries.ts';
import { makeError } from '../../protocol/errors.ts';
import type { Report } from '../../protocol/service.ts';
import { Channel } from '../channel/channel.ts';
import { PendingMemory } from '../memory/pending-memory.ts';
import { begin, finish, log, tell } from '../observe/channels.ts';
import type { WorkerFigures } from '../observe/statistics.ts';
import type { Batch } from '../queue/batch.ts';
import { FileQueue, type QueueHost } from '../queue/file-queue.ts';
import { type LargeWrite, NO_SLOT } from '../queue/large-write.ts';
import type { Load, Loaded } from '../queue/load.ts';
import type { Member } from '../queue/member.ts';
import { QueueSet } from '../queue/queue-set.ts';
import { WORTH_SENDING } from '../queue/under-way.ts';
import { lostReport, Registry } from './registry.ts';
import { Restarts } from './restarts.ts';
import { Session } from './session.ts';

/** While a thread is blocked it looks this often whether its worker still lives. */
const LIFE_CHECK_MS = 50;
/** An arena that a flood has filled is exchanged after so much quiet. */
const SWOLLEN_FOR_MS = 5000;

export class Connection implements QueueHost {
  readonly memory: PendingMemory;
  sqliteVersion = '';
  /** True while the thread is blocked in here: then no message can arrive. */
  blocked = false;

  readonly #channel = new Channel();
  readonly #registry = new Registry();
  readonly #restarts = new Restarts();
  readonly #queues = new Set<FileQueue>();
  readonly #wantToSend = new QueueSet();
  readonly #haveUnderWay = new QueueSet();
  readonly #freeFileIds: number[] = [];
  readonly #onLost: (connection: Connection) => void;
  #nextFileId = 0;
  #lost = 0;
  #checkpointsTold = 0;
  /** `undefined` once there will be no worker any more. */
  #session: Session | undefined;
  #lostReason: unknown;
  #pumpScheduled = false;
  /** Whether something was sent since the worker was made to look, and whether it is to look at once. */
  #sent = false;
  #hurry = false;
  /** Batches, not settled, that somebody waits for. */
  #waitedFor = 0;
  #arenaTimer: NodeJS.Timeout | undefined;
  /** The program has nothing else to do: it ends as soon as all is committed. */
  #ending = false;

  constructor(pendingBytes: number, onLost: (connection: Connection) => void) {
    this.#onLost = onLost;
    this.memory = new PendingMemory(pendingBytes, (dropped) => this.#wake(dropped));
    try {
      this.#start();
    } catch (error) {
      this.#lostReason = error;
    }
  }

  get lost(): boolean {
    return this.#session === undefined;
  }

  get fileCount(): number {
    return this.#queues.size;
  }

  get commitPoints(): Int32Array {
    return this.#channel.commitPoints;
  }

  // ---- files and providers ------------------------------------------------------------------

  openFile(dbPath: string, transient: boolean): FileQueue {
    const id = this.#freeFileIds.pop() ?? this.#nextFileId++;
    if (id >= MAX_FILES) {
      throw makeError('open-failed', 'open', dbPath, `this worker has ${MAX_FILES} files open already`);
    }
    const queue = new FileQueue(id, this, dbPath, transient);
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
    if (this.#session === undefined) return lostReport(member.dbPath);
    const trace = begin('open', () => ({ Path: member.dbPath, StoreId: member.storeId }));
    const report = await this.#registry.attach(this.#session, queue, member);
    finish('open', trace, report.error?.cause);
    log('open %s: %s', member.dbPath, report.error?.code ?? 'fine');
    if (report.sqliteVersion !== undefined) this.sqliteVersion = report.sqliteVersion;
    return report;
  }

  async detach(member: Member): Promise<Report> {
    if (this.#session === undefined) return {};
    const report = await this.#registry.detach(this.#session, member);
    log('close %s: %s', member.dbPath, report.error?.code ?? 'fine');
    return report;
  }

  // ---- sending --------------------------------------------------------------------------------

  /** At the end of the current job, so that what is called in it goes in one batch. */
  wantsToSend(queue: FileQueue): void {
    this.#wantToSend.add(queue);
    this.#schedulePump();
  }

  #schedulePump(): void {
    if (this.#pumpScheduled || this.blocked) return;
    this.#pumpScheduled = true;
    queueMicrotask(this.#scheduledPump);
  }

  #scheduledPump = (): void => {
    this.#pumpScheduled = false;
    this.#pump();
  };

  /** Sends what may be sent, settles what is finished, and sees to it that the rest is heard of. */
  #pump(): void {
    for (let again = false; ; again = true) {
      this.#wantToSend.forEach(this.#trySend);
      this.#ring();
      const seen = this.#channel.progress;
      // says who waits before it looks how far the worker is: the worker tells of what is finished after that
      this.#channel.want(this.#wanted);
      this.#settle();
      // What was under way may have finished after its queue was asked whether it may send: then no
      // progress is to come that would send the rest. If it may not send once more, it waits for others.
      const waits = this.#wantToSend.every(this.#hasUnderWay) || (again && this.#haveUnderWay.size > 0);
      if (this.lost || (waits && this.#listen(seen))) break;
    }
    this.#channel.want(this.#wanted);
    if (this.memory.isSwollen) this.#renewArenaLater();
    this.#updateReference();
  }

  /** Waits for the next progress without blocking; false if there was some meanwhile. */
  #listen(seen: number): boolean {
    return this.blocked || this.#haveUnderWay.size === 0 || this.#channel.listen(seen, this.#progressed);
  }

  #progressed = (): void => {
    this.#pump();
    if (this.#haveUnderWay.size === 0) this.#ending = false;
  };

  /** Gives the pages of an arena back that a flood has filled, once it was not in use for a while. */
  #renewArenaLater(): void {
    this.#arenaTimer ??= setTimeout(() => {
      this.#arenaTimer = undefined;
      if (!this.memory.isSwollen || this.#wantToSend.size > 0) return; // asked again once it is settled
      const arena = this.memory.renewArena();
      if (arena === undefined) return;
      this.#session?.call(
        (service) => service.useArena(arena),
        () => {},
      );
    }, SWOLLEN_FOR_MS).unref();
  }

  // these are called at each turn, and are made once
  #trySend = (queue: FileQueue): void => {
    queue.trySend();
    if (!queue.waitsToBeSent) this.#wantToSend.delete(queue);
  };

  #hasUnderWay = (queue: FileQueue): boolean => this.#haveUnderWay.has(queue);

  #settleQueue = (queue: FileQueue): void => {
    if (!queue.settle()) this.#haveUnderWay.delete(queue);
  };

  hasUnderWay(queue: FileQueue): void {
    this.#haveUnderWay.add(queue);
  }

  sendBatch(queue: FileQueue, batch: Batch): boolean {
    if (!this.#channel.push(queue.id, batch.number, batch.firstSlab)) return false;
    this.#sent = true;
    if (batch.urgent) this.#hurry = true;
    if (batch.bytes >= WORTH_SENDING) {
      // perhaps in mid-turn: the worker begins while the next one is gathered
      this.#hurry = true;
      this.#ring();
    }
    return true;
  }

  sendShared(queue: FileQueue, batch: Batch): boolean {
    if (!this.#channel.push(queue.id, batch.number, batch.firstSlab)) return false;
    if (!this.#channel.ring(false)) this.#wake(0);
    if (this.#ending) this.#schedulePump(); // another listener of `beforeExit` has called
    // what nobody waits for is told of after a pause in the traffic
    if (!this.#channel.listen(this.#channel.progress, this.#progressed)) this.#schedulePump();
    return true;
  }

  settleSoon(): void {
    this.#schedulePump();
  }

  settleNow(): void {
    this.#settle();
  }

  sendWrite(_: FileQueue, write: LargeWrite): boolean {
    if (write.slot === NO_SLOT) write.slot = this.#channel.takeSlot() ?? NO_SLOT;
    if (write.slot === NO_SLOT) return false;
    const { member, number, slot, operation, key, clock, data } = write;
    const ticket = { member: member.id, number, slot, dropped: this.memory.blocks.takeDropped() };
    const bytes = data.buffer instanceof ArrayBuffer ? transfer(data, [data.buffer]) : data;
    this.#session?.call(
      (service) => {
        if (operation === SAVE_SNAPSHOT) return service.saveSnapshot(ticket, bytes, clock);
        if (operation === APPEND_PATCH) return service.appendPatch(ticket, bytes, clock);
        return service.saveValue(ticket, key, bytes);
      },
      () => this.#pump(),
    );
    return true;
  }

  sendLoad(queue: FileQueue, load: Load): void {
    const { member, operation, key, clock } = load;
    this.#session?.call<Loaded>(
      (service) => {
        if (operation === LOAD_SNAPSHOT) return service.loadSnapshot(member.id);
        if (operation === LOAD_PATCHES) return service.loadPatchesSince(member.id, clock);
        return service.loadValue(member.id, key);
      },
      (loaded) => {
        this.#settle(); // the writes before it
        queue.answer(load, loaded);
        this.#pump();
      },
    );
  }

  takeOutcome(write: LargeWrite): number {
    if (write.slot === NO_SLOT) return 0;
    write.committedAt = this.#channel.committedAt(write.slot);
    const outcome = this.#channel.giveBackSlot(write.slot);
    write.slot = NO_SLOT;
    return outcome;
  }

  causeOf(file: number, number: number, outcome: number): Error | undefined {
    return this.#channel.errorBoard.causeOf(file, number, outcome);
  }

  hurry(): void {
    this.#waitedFor++;
    this.#hurry = true;
    this.#schedulePump();
  }

  hurried(): void {
    this.#waitedFor--;
  }

  /** Makes the worker look at what was sent, at once if somebody waits for it. */
  #ring(): void {
    const atOnce = this.#hurry || this.blocked || this.#ending;
    const needed = this.#sent || (atOnce && this.#haveUnderWay.size > 0);
    this.#sent = this.#hurry = false;
    if (needed && !this.#channel.ring(atOnce)) this.#wake(0);
  }

  /** Calls the worker from its event loop. */
  #wake(dropped: number): void {
    this.#session?.call(
      (service) => service.wake(dropped),
      () => {},
    );
  }

  // ---- settling -------------------------------------------------------------------------------

  #settle(): void {
    this.#haveUnderWay.forEach(this.#settleQueue);
    this.#tellOfCheckpoints();
  }

  get #wanted(): number {
    if (this.blocked) return WANTED_BY_BLOCKED;
    return this.#waitedFor > 0 || this.#wantToSend.size > 0 || this.#ending ? WANTED_NOW : WANTED_LATER;
  }

  /** The worker runs them between batches, and says so in shared memory only: they are told with the next progress. */
  #tellOfCheckpoints(): void {
    const { checkpoints, checkpointMicroseconds } = this.#channel;
    if (checkpoints === this.#checkpointsTold) return;
    this.#checkpointsTold = checkpoints;
    finish(
      'checkpoint',
      begin('checkpoint', () => ({ Checkpoints: checkpoints, Milliseconds: checkpointMicroseconds / 1000 })),
    );
  }

  get figures(): WorkerFigures {
    const { checkpoints, checkpointMicroseconds } = this.#channel;
    const { pendingBytes, arena, blocks } = this.memory;
    return {
      restarts: this.#lost,
      checkpoints,
      checkpointMs: checkpointMicroseconds / 1000,
      pendingBytes,
      sharedBytes: arena.byteLength + blocks.bytes,
    };
  }

  /**
   * The worker keeps the process alive exactly while somebody waits. What nobody waits for is committed
   * all the same before the process ends: see `ending`.
   */
  #updateReference(): void {
    const session = this.#session;
    if (session === undefined) return;
    const pending = this.#waitedFor > 0 || this.#wantToSend.size > 0 || session.hasCalls;
    session.keepAlive(pending || (this.#ending && this.#haveUnderWay.size > 0));
  }

  /** The program has nothing left to do: what nobody waits for is hurried, so that its failures are told. */
  endWhenCommitted(): void {
    this.#ending = true;
    if (this.#haveUnderWay.size === 0) return;
    this.#hurry = true;
    this.#pump();
  }

  // ---- blocking -------------------------------------------------------------------------------

  hold(until: () => boolean): void {
    this.block(until, Number.POSITIVE_INFINITY);
  }

  /**
   * Blocks this thread, sending and settling as the worker proceeds, until a condition holds (true)
   * or nothing has proceeded for so long (false).
   */
  block(until: () => boolean, patienceMs: number, totalMs: number = Number.POSITIVE_INFINITY): boolean {
    const channel = this.#channel;
    const start = performance.now();
    let lastProgress = start;
    let lastSeen = channel.progress;
    const wasBlocked = this.blocked;
    this.blocked = true;
    this.#hurry = true;
    channel.want(this.#wanted);
    try {
      for (;;) {
        const seen = channel.progress;
        this.#pump();
        if (until() || this.lost) {
          this.#settle(); // what finished since the last look
          return true;
        }
        const now = performance.now();
        if (seen !== lastSeen) {
          lastSeen = seen;
          lastProgress = now;
        }
        const left = Math.min(lastProgress + patienceMs, start + totalMs) - now;
        if (left <= 0) return false;
        if (!channel.waitForProgress(seen, Math.min(left, LIFE_CHECK_MS))) this.#checkLife();
      }
    } finally {
      this.blocked = wasBlocked;
      // the rest is heard of as usual
      if (!wasBlocked) this.#schedulePump();
    }
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

  get idle(): boolean {
    return this.#wantToSend.size === 0 && this.#haveUnderWay.every((queue) => queue.finished);
  }

  #checkLife(): void {
    const life = this.#session?.checkLife() ?? 'alive';
    if (life === 'ended') this.#recover(new Error('the worker thread has ended'));
    else if (life === 'never began') this.#giveUp(new Error('the worker thread did not start'));
  }

  // ---- the worker's life ------------------------------------------------------------------------

  #start(): void {
    log('a worker starts');
    this.#restarts.started(this.#channel.progress);
    this.#session = new Session(
      this.#channel,
      this.memory.arena,
      (reason) => this.#recover(reason),
      () => this.#updateReference(),
    );
  }

  /** Starts a new worker and gives it all that the lost one left undone. */
  #recover(reason: unknown): void {
    if (this.lost) return;
    this.#session?.leave();
    this.#lost++;
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
    if (this.#session !== undefined) this.#registry.attachAll(this.#session);
    for (const queue of this.#queues) queue.resume();
    if (this.#session !== undefined) this.#registry.detachAgain(this.#session);
    this.#hurry = true;
    this.#pump();
  }

  #giveUp(reason: unknown): void {
    this.#session?.leave();
    this.#session = undefined;
    this.#lostReason = reason;
    this.#onLost(this);
    for (const queue of this.#queues) this.#giveUpQueue(queue, reason);
    this.#registry.giveUp();
  }

  #giveUpQueue(queue: FileQueue, reason: unknown, detail?: string): void {
    queue.giveUp((call) => makeError('worker-lost', call, queue.dbPath, detail, reason));
    this.#wantToSend.delete(queue);
    this.#haveUnderWay.delete(queue);
  }
}

const MEMORY_LOST = 'the worker thread was lost, and this database, kept in memory, with it';
