/**
 * A line to one worker thread: the memory both share, the ring of batches, the Comlink service, and
 * what happens when the worker is lost. Any number of lanes (files) uses it.
 */
import { existsSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
import { type Remote, wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import {
  BOOTED,
  CONTROL_CELLS,
  DOORBELL,
  descriptorAt,
  MAX_LANES,
  MESSAGES,
  OWNER,
  PROGRESS,
  RETIRED,
  RING_CAPACITY,
  RING_HEAD,
  RING_TAIL,
  reached,
  type SharedMemory,
  STATE_ASLEEP,
  STATE_AWAKE,
  STATE_IN_EVENT_LOOP,
  THREAD_ID,
  WORKER_STATE,
} from '../protocol/control.ts';
import { makeError } from '../protocol/errors.ts';
import {
  type BatchMessage,
  isDirect,
  type ReadResult,
  type Report,
  type WakeMessage,
  type WorkerService,
} from '../protocol/service.ts';
import type { Batch } from './batch.ts';
import { ErrorBoard } from './error-board.ts';
import { Lane } from './lane.ts';
import { LaneSet } from './lane-set.ts';
import type { Member } from './member.ts';
import { Pending } from './pending.ts';
import { PendingMemory } from './pending-memory.ts';
import { startWorker } from './start-worker.ts';

/** After so many workers in a row that died young and had finished nothing, there is no other. */
const MOST_VAIN_STARTS = 5;
const SHORT_LIFE_MS = 10_000;
/** While a thread is blocked it looks this often whether its worker still lives. */
const LIFE_CHECK_MS = 50;
/** A worker that did not start within this is taken for lost by a blocked thread, which hears of no exit. */
const START_PATIENCE_MS = 30_000;

type OnAnswers = (answers: ReadResult[]) => void;

/** A provider's registration, from its attach to its detach. */
interface Registration {
  member: Member;
  lane: Lane;
  attached: boolean;
  /** Who waits for the attach that is under way. */
  onAttach: ((report: Report) => void)[];
  attaching: boolean;
  onDetach: ((report: Report) => void) | undefined;
}

export class Line {
  readonly memory: PendingMemory;
  readonly errorBoard = new ErrorBoard();
  readonly commitPoints: Int32Array;
  /** True while the thread is blocked in here: then no message can arrive. */
  blocked = false;
  sqliteVersion = '';

  readonly #control: Int32Array;
  readonly #shared: SharedMemory;
  readonly #lanes = new Set<Lane>();
  readonly #registrations = new Map<number, Registration>();
  readonly #wantToSend = new LaneSet();
  readonly #haveUnderWay = new LaneSet();
  readonly #freeLaneIds: number[] = [];
  #nextLaneId = 0;
  #nextMemberId = 1;
  #worker!: Worker; // #start, called by the constructor, sets both
  #service!: Remote<WorkerService>;
  #startedAt = 0;
  #online = false;
  #progressAtStart = 0;
  #vainStarts = 0;
  #lost = false;
  #lostReason: unknown;
  #onLost: (line: Line) => void;
  #sendScheduled = false;
  #listening = false;
  #referenced = true;
  /** Comlink calls that are not answered. */
  #requests = 0;
  /** What waits for the answers of batches. */
  readonly #onAnswers = new Pending<OnAnswers>();

  constructor(pendingBytes: number, onLost: (line: Line) => void) {
    this.#onLost = onLost;
    this.memory = new PendingMemory(pendingBytes, (bytes) => this.#tellOfDropped(bytes));
    const control = new SharedArrayBuffer(CONTROL_CELLS * 4);
    const commitPoints = new SharedArrayBuffer(MAX_LANES * 4);
    this.#control = new Int32Array(control);
    this.commitPoints = new Int32Array(commitPoints);
    this.#shared = { owner: OWNER, control, commitPoints, board: this.errorBoard.shared, arena: this.memory.arena };
    try {
      this.#start();
    } catch (error) {
      this.#lost = true;
      this.#lostReason = error;
    }
  }

  get lost(): boolean {
    return this.#lost;
  }

  get laneCount(): number {
    return this.#lanes.size;
  }

  // ---- lanes and providers ------------------------------------------------------------------

  openLane(dbPath: string, transient: boolean): Lane {
    const id = this.#freeLaneIds.pop() ?? this.#nextLaneId++;
    if (id >= MAX_LANES) {
      throw makeError('open-failed', 'open', dbPath, `this worker has ${MAX_LANES} files open already`);
    }
    const lane = new Lane(id, this, dbPath, transient);
    this.#lanes.add(lane);
    if (this.#lost) lane.giveUp((call) => makeError('worker-lost', call, dbPath, undefined, this.#lostReason));
    return lane;
  }

  closeLane(lane: Lane): void {
    this.#lanes.delete(lane);
    this.#freeLaneIds.push(lane.id);
  }

  /** Makes a provider known to the worker, which opens its file; again, if that failed before. */
  attach(lane: Lane, member: Member): Promise<Report> {
    if (this.#lost) return Promise.resolve(lostReport(member.dbPath));
    return new Promise((resolve) => {
      let registration = this.#registrations.get(member.id);
      if (registration === undefined) {
        registration = { member, lane, attached: false, attaching: false, onAttach: [], onDetach: undefined };
        this.#registrations.set(member.id, registration);
      }
      registration.onAttach.push(resolve);
      if (!registration.attaching) this.#sendAttach(registration);
    });
  }

  newMemberId(): number {
    return this.#nextMemberId++;
  }

  #sendAttach(registration: Registration): void {
    const { member, lane } = registration;
    const { settings } = member;
    registration.attaching = true;
    const message = {
      member: member.id,
      lane: lane.id,
      dbPath: lane.dbPath,
      transient: lane.transient,
      storeId: member.storeId,
      full: settings.Durability === 'full',
      busyTimeoutMs: settings.BusyTimeoutMs,
      keepCollisions: settings.OnClockCollision === 'keep',
      verifyValues: settings.VerifyValues,
    };
    this.#request(this.#service.attach(message), (report) => {
      registration.attaching = false;
      registration.attached = true;
      if (report.sqliteVersion !== undefined) this.sqliteVersion = report.sqliteVersion;
      for (const settle of registration.onAttach.splice(0)) settle(report);
    });
  }

  /** Whether the worker has confirmed every provider of a lane, so that its batches can go by the ring. */
  allAttached(lane: Lane): boolean {
    for (const member of lane.members) if (!this.#registrations.get(member.id)?.attached) return false;
    return true;
  }

  /** Makes the worker forget a provider; with a file's last one, it closes the file. */
  detach(member: Member): Promise<Report> {
    return new Promise((resolve) => {
      const registration = this.#registrations.get(member.id);
      if (registration === undefined || this.#lost) return resolve({});
      registration.onDetach = resolve;
      this.#sendDetach(registration);
    });
  }

  #sendDetach(registration: Registration): void {
    this.#request(this.#service.detach(registration.member.id), (report) => {
      this.#registrations.delete(registration.member.id);
      registration.onDetach?.(report);
    });
  }

  // ---- sending --------------------------------------------------------------------------------

  /** Sends at the end of the current job, so that what is called in it goes in one batch. */
  wantsToSend(lane: Lane): void {
    this.#wantToSend.add(lane);
    if (!this.blocked) this.#scheduleSending();
  }

  #scheduleSending(): void {
    if (this.#sendScheduled) return;
    this.#sendScheduled = true;
    queueMicrotask(this.#sendScheduledLanes);
  }

  #sendScheduledLanes = (): void => {
    this.#sendScheduled = false;
    this.#pump();
  };

  #pump(): void {
    do {
      this.#wantToSend.forEach(this.#trySend);
      this.#listen();
      // What was under way may have finished after its lane was asked whether it may send, and be
      // settled by #listen: then no progress is to come that would send the rest.
    } while (!this.#lost && !this.#wantToSend.every(this.#hasUnderWay));
    this.#updateReference();
  }

  // these are called at each turn, and are made once
  #trySend = (lane: Lane): void => {
    lane.trySend();
    if (!lane.waitsToBeSent) this.#wantToSend.delete(lane);
  };

  #hasUnderWay = (lane: Lane): boolean => this.#haveUnderWay.has(lane);

  hasUnderWay(lane: Lane): void {
    this.#haveUnderWay.add(lane);
  }

  /** Puts a batch's descriptor into the ring; false if it is full. */
  sendByRing(lane: Lane, batch: Batch): boolean {
    const control = this.#control;
    const tail = Atomics.load(control, RING_TAIL);
    if (reached(tail, Atomics.load(control, RING_HEAD) + RING_CAPACITY)) return false;
    const at = descriptorAt(tail);
    control[at] = lane.id;
    control[at + 1] = batch.number;
    control[at + 2] = batch.firstSlab;
    Atomics.store(control, RING_TAIL, (tail + 1) | 0);
    this.#ring();
    return true;
  }

  /**
   * Makes the worker look. It tells its state before it sleeps and looks once more after that, so
   * one of the two sides always sees the other (both cells are sequentially consistent). One message
   * wakes it from its event loop for all batches until then.
   */
  #ring(): void {
    Atomics.add(this.#control, DOORBELL, 1);
    const state = Atomics.compareExchange(this.#control, WORKER_STATE, STATE_IN_EVENT_LOOP, STATE_AWAKE);
    if (state === STATE_ASLEEP) Atomics.notify(this.#control, DOORBELL);
    else if (state === STATE_IN_EVENT_LOOP) this.#post({ direct: 'wake', dropped: 0 });
  }

  sendByMessage(
    message: Omit<BatchMessage, 'direct' | 'reply' | 'dropped'>,
    moved: ArrayBuffer[],
    onAnswers: OnAnswers,
  ) {
    const reply = this.#onAnswers.add(onAnswers);
    this.#updateReference();
    const dropped = this.memory.blocks.takeDropped();
    this.#post({ direct: 'batch', reply, dropped, ...message }, moved);
  }

  #tellOfDropped(bytes: number): void {
    if (!this.#lost) this.#post({ direct: 'wake', dropped: bytes });
  }

  #post(message: BatchMessage | WakeMessage, moved: ArrayBuffer[] = []): void {
    try {
      this.#worker.postMessage(message, moved);
    } catch (error) {
      this.#replace(error); // a message that can't be sent: the next worker gets it anew
      return;
    }
    this.#announce();
  }

  /** A message was posted, perhaps while the worker is at work, or asleep on its doorbell: let it go to its event loop. */
  #announce(): void {
    Atomics.add(this.#control, MESSAGES, 1);
    Atomics.add(this.#control, DOORBELL, 1);
    if (Atomics.load(this.#control, WORKER_STATE) === STATE_ASLEEP) Atomics.notify(this.#control, DOORBELL);
  }

  #receive(message: unknown): void {
    if (!isDirect(message) || message.direct !== 'answers') return; // Comlink's
    this.#onAnswers.take(message.reply)?.(message.answers);
    this.#settle();
    this.#pump();
  }

  /** Keeps count of a Comlink call; its promise never settles if the worker is lost, which #recover makes up for. */
  #request<T>(reply: Promise<T>, onReply: (value: T) => void): void {
    const worker = this.#worker;
    this.#requests++;
    this.#updateReference();
    this.#announce();
    reply.then(
      (value) => {
        if (worker !== this.#worker) return; // all that a lost worker left unanswered is asked again
        this.#requests--;
        onReply(value);
        this.#updateReference();
      },
      (error: unknown) => {
        // the service never throws on purpose; a reply that can't be read is a lost worker too
        if (worker === this.#worker) this.#replace(error);
      },
    );
  }

  // ---- settling -------------------------------------------------------------------------------

  #settle(): void {
    this.#haveUnderWay.forEach(this.#settleLane);
  }

  #settleLane = (lane: Lane): void => {
    if (!lane.settle()) this.#haveUnderWay.delete(lane);
  };

  /** Waits for the next progress without blocking; one wait at a time. */
  #listen(): void {
    if (this.#listening || this.#haveUnderWay.size === 0 || this.#lost) return;
    for (;;) {
      const seen = Atomics.load(this.#control, PROGRESS);
      this.#settle();
      if (this.#haveUnderWay.size === 0) return;
      const wait = Atomics.waitAsync(this.#control, PROGRESS, seen);
      if (!wait.async) continue; // there was progress meanwhile
      this.#listening = true;
      void wait.value.then(this.#progressed);
      return;
    }
  }

  #progressed = (): void => {
    this.#listening = false;
    this.#settle();
    this.#pump();
  };

  /** The worker keeps the process alive exactly while something is pending. */
  #updateReference(): void {
    const pending =
      this.#requests > 0 || this.#onAnswers.size > 0 || this.#haveUnderWay.size > 0 || this.#wantToSend.size > 0;
    if (pending === this.#referenced) return;
    this.#referenced = pending;
    if (pending) this.#worker.ref();
    else this.#worker.unref();
  }

  // ---- blocking -------------------------------------------------------------------------------

  /** Holds the caller until there is room, or the line is lost. */
  hold(until: () => boolean): void {
    this.block(until, Number.POSITIVE_INFINITY);
  }

  /**
   * Blocks this thread, sending and settling as the worker proceeds, until a condition holds (true)
   * or nothing has proceeded for so long (false).
   */
  block(until: () => boolean, patienceMs: number, totalMs: number = Number.POSITIVE_INFINITY): boolean {
    const control = this.#control;
    const start = performance.now();
    let lastProgress = start;
    let lastSeen = Atomics.load(control, PROGRESS);
    const wasBlocked = this.blocked;
    this.blocked = true;
    try {
      for (;;) {
        const seen = Atomics.load(control, PROGRESS);
        this.#settle();
        this.#pump();
        this.#settle();
        if (until() || this.#lost) {
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
        const result = Atomics.wait(control, PROGRESS, seen, Math.min(left, LIFE_CHECK_MS));
        if (result === 'timed-out') this.#checkLife();
      }
    } finally {
      this.blocked = wasBlocked;
      if (this.#wantToSend.size > 0 && !wasBlocked) this.#scheduleSending();
    }
  }

  /** Blocks until all that was called on any lane is committed. */
  drain(patienceMs: number): boolean {
    return this.block(() => [...this.#lanes].every((lane) => lane.finished), patienceMs);
  }

  /** Blocks until the worker has closed its files, so that none of them is cut off in mid-work. */
  retire(patienceMs: number): void {
    if (this.#lost || Atomics.load(this.#control, BOOTED) === 0) return;
    this.#request(this.#service.retire(), () => {});
    this.block(() => Atomics.load(this.#control, BOOTED) === RETIRED, patienceMs);
  }

  get idle(): boolean {
    return this.#wantToSend.size === 0 && this.#haveUnderWay.every((lane) => lane.finished);
  }

  /**
   * A blocked thread hears no `exit` event. On Linux it looks for the thread itself. Elsewhere, a thread
   * that has ended reports a negative idle time, or, if it is asked for the first time only then, no
   * time at all; but so does one whose `online` event did not come yet (Node, lib/internal/worker.js).
   */
  #checkLife(): void {
    const booted = Atomics.load(this.#control, BOOTED) !== 0;
    const thread = Atomics.load(this.#control, THREAD_ID);
    const { idle, active } = this.#worker.performance.eventLoopUtilization();
    const ended =
      thread > 0
        ? !existsSync(`/proc/self/task/${thread}`)
        : idle < 0 || (booted && this.#online && idle === 0 && active === 0);
    const neverBegan = !booted && performance.now() - this.#startedAt > START_PATIENCE_MS;
    if (ended) this.#recover(new Error('the worker thread has ended'));
    else if (neverBegan) this.#giveUp(new Error(`the worker thread did not start within ${START_PATIENCE_MS} ms`));
  }

  // ---- the worker's life ------------------------------------------------------------------------

  #start(): void {
    const control = this.#control;
    Atomics.store(control, RING_HEAD, 0);
    Atomics.store(control, RING_TAIL, 0);
    Atomics.store(control, WORKER_STATE, STATE_IN_EVENT_LOOP);
    Atomics.store(control, BOOTED, 0);
    Atomics.store(control, THREAD_ID, 0);
    Atomics.store(control, MESSAGES, 0);
    this.#startedAt = performance.now();
    this.#progressAtStart = Atomics.load(control, PROGRESS);
    this.#requests = 0;
    this.#onAnswers.clear();
    const worker = startWorker(this.#shared);
    this.#worker = worker;
    this.#referenced = true;
    this.#online = false;
    worker.once('online', () => {
      if (worker === this.#worker) this.#online = true;
    });
    this.#service = wrap<WorkerService>(nodeEndpoint(worker));
    worker.on('message', (message: unknown) => {
      if (worker === this.#worker) this.#receive(message); // all that a lost worker left unanswered is asked again
    });
    let reason: unknown;
    worker.on('error', (error) => {
      reason = error;
    });
    worker.on('messageerror', (error) => {
      if (worker === this.#worker) this.#replace(error);
    });
    worker.on('exit', (code) => {
      if (worker === this.#worker) this.#recover(reason ?? new Error(`the worker thread ended with code ${code}`));
    });
    this.#updateReference();
  }

  /** Ends a worker that can't be talked to any more; its `exit` then brings the next one. */
  #replace(reason: unknown): void {
    const worker = this.#worker;
    worker.emit('error', reason);
    void worker.terminate();
  }

  /** Starts a new worker and gives it all that the lost one left undone. */
  #recover(reason: unknown): void {
    if (this.#lost) return;
    const didNothing = Atomics.load(this.#control, PROGRESS) === this.#progressAtStart;
    const vain = didNothing && performance.now() - this.#startedAt < SHORT_LIFE_MS;
    this.#vainStarts = vain ? this.#vainStarts + 1 : 0;
    if (this.#vainStarts >= MOST_VAIN_STARTS) {
      this.#giveUp(reason);
      return;
    }
    try {
      this.#start();
    } catch (error) {
      this.#giveUp(error);
      return;
    }
    for (const lane of this.#lanes) {
      if (!lane.transient) continue;
      lane.giveUp((call) =>
        makeError(
          'worker-lost',
          call,
          lane.dbPath,
          'the worker thread was lost, and this database, kept in memory, with it',
          reason,
        ),
      );
      this.#wantToSend.delete(lane);
      this.#haveUnderWay.delete(lane);
    }
    for (const registration of this.#registrations.values()) {
      registration.attached = false;
      this.#sendAttach(registration);
    }
    for (const lane of this.#lanes) lane.resume();
    for (const registration of this.#registrations.values()) {
      if (registration.onDetach !== undefined) this.#sendDetach(registration);
    }
    // it may have published a commit, and ended before it could tell of it
    this.#settle();
    this.#pump();
  }

  #giveUp(reason: unknown): void {
    this.#lost = true;
    this.#lostReason = reason;
    void this.#worker.terminate(); // one that starts late must not do what was refused
    this.#onLost(this);
    for (const lane of this.#lanes) {
      lane.giveUp((call) => makeError('worker-lost', call, lane.dbPath, undefined, reason));
    }
    for (const { member, onAttach, onDetach } of this.#registrations.values()) {
      for (const settle of onAttach.splice(0)) settle(lostReport(member.dbPath));
      onDetach?.({});
    }
    this.#registrations.clear();
    this.#wantToSend.clear();
    this.#haveUnderWay.clear();
    this.#requests = 0;
    this.#onAnswers.clear();
    this.#updateReference();
  }
}

function lostReport(dbPath: string): Report {
  return { error: { code: 'worker-lost', cause: { message: `the worker thread of '${dbPath}' was lost` } } };
}
