/**
 * What the main side talks to: takes batches from the ring and from messages, gives them to their
 * lanes, and decides when this thread works, waits on its doorbell, or returns to its event loop.
 */
import { availableParallelism } from 'node:os';
import { transfer } from 'comlink';
import {
  BOARD_BYTES,
  BOARD_TEXT_AT,
  BOOTED,
  DOORBELL,
  descriptorAt,
  PROGRESS,
  RETIRED,
  RING_HEAD,
  RING_TAIL,
  type SharedMemory,
  STATE_ASLEEP,
  STATE_AWAKE,
  STATE_IN_EVENT_LOOP,
  WORKER_STATE,
} from '../protocol/control.ts';
import type { ReportedCause } from '../protocol/errors.ts';
import type { BatchMessage, MemberMessage, ReadResult, Report, WorkerService } from '../protocol/service.ts';
import { layOutArena } from '../protocol/slabs.ts';
import { Arena } from './call-reader.ts';
import type { Engine } from './engine.ts';
import { type LaneHost, type LaneMember, WorkerLane } from './lane.ts';

/**
 * After work, the thread watches its doorbell for so long before it sleeps: waking a sleeping
 * thread takes some 30 µs on either side, and a caller that awaits each call is back sooner.
 */
const WATCH_MS = availableParallelism() > 1 ? 0.05 : 0;
/** Quiet for so long, it returns to its event loop; that is also when it tidies up. */
const LINGER_MS = 50;
/** What could not be tidied up, since another process was reading, is tried again after this. */
const TIDY_AGAIN_MS = 1000;

/** Shared blocks from this size on may be dropped by the main side, and then must not stay here. */
const DROPPED_BYTES = 8 * 1024 * 1024;

interface Member extends LaneMember {
  lane: WorkerLane;
}

export class Service implements WorkerService, LaneHost {
  readonly arena: Arena;
  readonly commitPoints: Int32Array;
  readonly members = new Map<number, Member>();
  readonly #control: Int32Array;
  readonly #board: Uint8Array;
  readonly #newEngine: (path: string) => Engine;
  readonly #lanes = new Map<number, WorkerLane>();
  /** Lanes with tasks that wait. */
  readonly #waiting = new Set<WorkerLane>();
  #serveScheduled = false;
  #retryTimer: NodeJS.Timeout | undefined;
  #tidyTimer: NodeJS.Timeout | undefined;
  /** How long the thread watches next: only callers that come back soon make it worth while. */
  #watchMs = WATCH_MS;

  constructor(shared: SharedMemory, newEngine: (path: string) => Engine) {
    this.#control = new Int32Array(shared.control);
    this.commitPoints = new Int32Array(shared.commitPoints);
    this.#board = new Uint8Array(shared.board);
    this.arena = new Arena(shared.arena, layOutArena(shared.arena.byteLength));
    this.#newEngine = newEngine;
  }

  // ---- calls from the main side -----------------------------------------------------------------

  attach(message: MemberMessage): Promise<Report> {
    this.#takeFromRing();
    let lane = this.#lanes.get(message.lane);
    if (lane === undefined) {
      lane = new WorkerLane(message.lane, this.#newEngine(message.dbPath), this);
      this.#lanes.set(message.lane, lane);
    }
    // known already, if this is another attempt to open the file
    const { storeId, keepCollisions, verifyValues, full, busyTimeoutMs } = message;
    const member = this.members.get(message.member) ?? {
      storeId,
      keepCollisions,
      verifyValues,
      full,
      busyTimeoutMs,
      lane,
    };
    this.members.set(message.member, member);
    return new Promise((resolve) => {
      lane.attach(member, resolve);
      this.#proceed(lane);
    });
  }

  detach(id: number): Promise<Report> {
    this.#takeFromRing();
    const member = this.members.get(id);
    if (member === undefined) return Promise.resolve({});
    const { lane } = member;
    return new Promise((resolve) => {
      lane.detach(member, (report) => {
        this.members.delete(id);
        if (lane.members.size === 0) this.#lanes.delete(lane.id);
        resolve(report);
      });
      this.#proceed(lane);
    });
  }

  run(message: BatchMessage): Promise<ReadResult[]> {
    this.#takeFromRing();
    const lane = this.#lanes.get(message.lane);
    if (lane === undefined) throw new Error(`there is no lane ${message.lane}`);
    for (const attachment of message.attachments) {
      // as on the main side, which keeps shorter ones: V8 does not count shared memory as garbage
      if (attachment?.buffer instanceof SharedArrayBuffer && attachment.length >= DROPPED_BYTES) {
        new ArrayBuffer(attachment.length);
      }
    }
    return new Promise((resolve) => {
      lane.run(message.batch, message.firstSlab, message.attachments, message.readsOnly, (answers) => {
        resolve(answers.length === 0 ? answers : transfer(answers, answers.flatMap(buffersOf)));
      });
      this.#proceed(lane);
    });
  }

  retire(): void {
    this.#takeFromRing();
    for (const lane of this.#lanes.values()) {
      if (lane.idle) lane.closeForNow();
      this.progressed();
    }
    Atomics.store(this.#control, BOOTED, RETIRED);
    this.progressed();
  }

  wake(): void {
    this.#takeFromRing();
    this.#scheduleServe();
  }

  // ---- what lanes say ---------------------------------------------------------------------------

  progressed(): void {
    Atomics.add(this.#control, PROGRESS, 1);
    Atomics.notify(this.#control, PROGRESS);
  }

  resumed(): void {
    this.#scheduleServe();
  }

  report(lane: number, batch: number, outcome: number, cause: ReportedCause): void {
    const words = { ...cause, message: cause.message.slice(0, 400) };
    const text = Buffer.from(JSON.stringify(words)).subarray(0, BOARD_BYTES - BOARD_TEXT_AT);
    const head = new Int32Array(this.#board.buffer, 0, 4);
    Atomics.store(head, 1, 0); // nothing on the board fits any batch while it is being written
    this.#board.set(text, BOARD_TEXT_AT);
    Atomics.store(head, 0, lane);
    Atomics.store(head, 2, outcome);
    Atomics.store(head, 3, text.byteLength);
    Atomics.store(head, 1, batch);
  }

  // ---- serving ------------------------------------------------------------------------------------

  #proceed(lane: WorkerLane): void {
    const resumeAt = lane.proceed();
    if (lane.idle) this.#waiting.delete(lane);
    else this.#waiting.add(lane);
    void resumeAt;
    this.#scheduleServe();
  }

  /** Takes what is in the ring; returns whether there was anything. */
  #takeFromRing(): boolean {
    const control = this.#control;
    let head = Atomics.load(control, RING_HEAD);
    let took = false;
    while (head !== Atomics.load(control, RING_TAIL)) {
      const at = descriptorAt(head);
      const lane = this.#lanes.get(Atomics.load(control, at));
      if (lane === undefined) break; // its provider is announced by a message that is under way
      const batch = Atomics.load(control, at + 1);
      const firstSlab = Atomics.load(control, at + 2);
      head = (head + 1) | 0;
      Atomics.store(control, RING_HEAD, head);
      took = true;
      lane.run(batch, firstSlab, [], false, ignoreAnswers);
      lane.proceed();
      if (!lane.idle) this.#waiting.add(lane);
    }
    return took;
  }

  #retryWaiting(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const lane of this.#waiting) {
      next = Math.min(next, lane.proceed());
      if (lane.idle) this.#waiting.delete(lane);
    }
    return next;
  }

  #scheduleServe(): void {
    if (this.#serveScheduled) return;
    this.#serveScheduled = true;
    setImmediate(this.#serve);
  }

  /** Works, and waits on the doorbell, until a message comes or all is quiet. */
  #serve = (): void => {
    this.#serveScheduled = false;
    clearTimeout(this.#retryTimer);
    const control = this.#control;
    Atomics.store(control, WORKER_STATE, STATE_AWAKE);
    for (;;) {
      const seen = Atomics.load(control, DOORBELL);
      const took = this.#takeFromRing();
      const retryAt = this.#retryWaiting();
      if (Atomics.load(control, DOORBELL) !== seen) {
        if (took) continue;
        if (this.#leave(retryAt)) return;
        continue;
      }
      const rang = this.#await(seen, retryAt - performance.now());
      const empty = Atomics.load(control, RING_HEAD) === Atomics.load(control, RING_TAIL);
      if (rang === 'timed-out' && retryAt !== Number.POSITIVE_INFINITY) continue;
      if (rang === 'timed-out') this.#tidyUp();
      // a ring without a batch announces a message
      if (empty && this.#leave(retryAt)) return;
    }
  };

  /** Watches the doorbell for a moment, then sleeps on it. */
  #await(seen: number, retryInMs: number): 'rang' | 'timed-out' {
    const control = this.#control;
    const start = performance.now();
    const watchUntil = start + this.#watchMs;
    while (performance.now() < watchUntil) {
      if (Atomics.load(control, DOORBELL) !== seen) return 'rang';
    }
    Atomics.store(control, WORKER_STATE, STATE_ASLEEP);
    const result = Atomics.wait(control, DOORBELL, seen, Math.max(Math.min(LINGER_MS, retryInMs), 0));
    Atomics.store(control, WORKER_STATE, STATE_AWAKE);
    this.#watchMs = performance.now() - start < 4 * WATCH_MS ? WATCH_MS : 0;
    return result === 'timed-out' ? 'timed-out' : 'rang';
  }

  /** Returns to the event loop, unless a batch has just come; then false. */
  #leave(retryAt: number): boolean {
    const control = this.#control;
    Atomics.store(control, WORKER_STATE, STATE_IN_EVENT_LOOP);
    const head = Atomics.load(control, RING_HEAD);
    if (head !== Atomics.load(control, RING_TAIL) && this.#lanes.has(Atomics.load(control, descriptorAt(head)))) {
      Atomics.store(control, WORKER_STATE, STATE_AWAKE);
      return false;
    }
    if (retryAt !== Number.POSITIVE_INFINITY) {
      this.#retryTimer = setTimeout(this.#serve, Math.max(retryAt - performance.now(), 0));
    }
    return true;
  }

  /** One lane at a time, and no further once there is work. */
  #tidyUp = (): void => {
    const control = this.#control;
    clearTimeout(this.#tidyTimer);
    this.#tidyTimer = undefined;
    for (const lane of this.#lanes.values()) {
      if (Atomics.load(control, RING_HEAD) !== Atomics.load(control, RING_TAIL)) return;
      if (!lane.idle) continue;
      if (lane.tidyUp() === true) this.#tidyTimer ??= setTimeout(this.#tidyUp, TIDY_AGAIN_MS);
    }
  };
}

function ignoreAnswers(): void {
  // what went by the ring has no reads
}

function buffersOf(result: ReadResult): ArrayBufferLike[] {
  if (result.kind === 'bytes') return result.bytes === undefined ? [] : [result.bytes.buffer];
  return result.blocks.flatMap(({ bytes, lengths }) => [bytes.buffer, lengths.buffer]);
}
