/**
 * What the main side talks to: takes batches from the ring and from messages, gives them to their
 * lanes, and decides when this thread works, waits on its doorbell, or returns to its event loop.
 */
import { availableParallelism } from 'node:os';
import {
  BOARD_BYTES,
  BOARD_TEXT_AT,
  BOOTED,
  DOORBELL,
  descriptorAt,
  MESSAGES,
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
import { accountFor, accountForAtOnce } from '../protocol/dropped-memory.ts';
import type { ReportedCause } from '../protocol/errors.ts';
import type {
  AnswersMessage,
  Attachment,
  BatchMessage,
  MemberMessage,
  ReadResult,
  Report,
  WakeMessage,
  WorkerService,
} from '../protocol/service.ts';
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
/**
 * Waking the main side costs both sides more than a small batch does: with many batches in the ring,
 * it is not told of each.
 */
const TELL_MS = 1;
/** What could not be tidied up yet, since another process was reading or it is too early, is tried again after this. */
const TIDY_AGAIN_MS = 1000;

export type NewEngine = (path: string, transient: boolean) => Engine;
export type Post = (message: AnswersMessage, moved: ArrayBuffer[]) => void;

interface Member extends LaneMember {
  lane: WorkerLane;
}

export class Service implements WorkerService, LaneHost {
  readonly arena: Arena;
  readonly commitPoints: Int32Array;
  readonly members = new Map<number, Member>();
  readonly #control: Int32Array;
  readonly #board: Uint8Array;
  readonly #newEngine: NewEngine;
  readonly #post: Post;
  readonly #lanes = new Map<number, WorkerLane>();
  /** Lanes with tasks that wait. */
  readonly #waiting = new Set<WorkerLane>();
  #serveScheduled = false;
  /** Messages handled, to be compared with those sent; and whether an answer waits to be posted. */
  #handled = 0;
  #answered = false;
  /** Whether there is progress that the main side was not woken for, and when it was woken last. */
  #untold = false;
  #toldAt = 0;
  #retryTimer: NodeJS.Timeout | undefined;
  #tidyTimer: NodeJS.Timeout | undefined;
  /** How long the thread watches next: only callers that come back soon make it worth while. */
  #watchMs = WATCH_MS;

  constructor(shared: SharedMemory, newEngine: NewEngine, post: Post) {
    this.#control = new Int32Array(shared.control);
    this.commitPoints = new Int32Array(shared.commitPoints);
    this.#board = new Uint8Array(shared.board);
    this.arena = new Arena(shared.arena, layOutArena(shared.arena.byteLength));
    this.#newEngine = newEngine;
    this.#post = post;
  }

  // ---- calls from the main side -----------------------------------------------------------------

  attach(message: MemberMessage): Promise<Report> {
    this.#handle();
    let lane = this.#lanes.get(message.lane);
    if (lane === undefined) {
      lane = new WorkerLane(message.lane, this.#newEngine(message.dbPath, message.transient), this);
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
      lane.attach(member, (report) => this.#answer(resolve, report));
      this.#proceed(lane);
    });
  }

  detach(id: number): Promise<Report> {
    this.#handle();
    const member = this.members.get(id);
    if (member === undefined) return Promise.resolve({});
    const { lane } = member;
    return new Promise((resolve) => {
      lane.detach(member, (report) => {
        this.members.delete(id);
        if (lane.members.size === 0) this.#lanes.delete(lane.id);
        this.#answer(resolve, report);
      });
      this.#proceed(lane);
    });
  }

  /** A message that is no Comlink call. */
  receive(message: BatchMessage | WakeMessage): void {
    this.#handle();
    const { dropped } = message;
    if (message.direct === 'batch') {
      if (dropped > 0) accountFor(dropped);
      this.#run(message);
    } else {
      if (dropped > 0) accountForAtOnce(dropped);
      this.#scheduleServe();
    }
  }

  #run({ reply, lane: id, batch, firstSlab, attachments, readsOnly }: BatchMessage): void {
    const lane = this.#lanes.get(id);
    if (lane === undefined) throw new Error(`there is no lane ${id}`);
    lane.run(batch, firstSlab, attachments, readsOnly, (answers) => {
      this.#post({ direct: 'answers', reply, answers }, answers.flatMap(buffersOf));
      attachments.forEach(free);
    });
    this.#proceed(lane);
  }

  retire(): void {
    this.#handle();
    for (const lane of this.#lanes.values()) {
      if (lane.idle) lane.closeForNow();
      this.progressed();
    }
    Atomics.store(this.#control, BOOTED, RETIRED);
    this.progressed();
    this.#tell();
  }

  // ---- what lanes say ---------------------------------------------------------------------------

  progressed(): void {
    Atomics.add(this.#control, PROGRESS, 1);
    this.#untold = true;
    if (performance.now() - this.#toldAt >= TELL_MS) this.#tell();
  }

  /** Wakes the main side, if there is progress it was not woken for. */
  #tell(): void {
    if (!this.#untold) return;
    this.#untold = false;
    this.#toldAt = performance.now();
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
    lane.proceed();
    if (lane.idle) this.#waiting.delete(lane);
    else this.#waiting.add(lane);
    this.#scheduleServe();
  }

  /** Begins to handle a message: what came by the ring before it goes first. */
  #handle(): void {
    this.#handled = (this.#handled + 1) | 0;
    this.#takeFromRing();
    this.#tell(); // what the message asks for may take long
  }

  /** Comlink posts an answer once this thread has left whatever it is in. */
  #answer<T>(resolve: (value: T) => void, value: T): void {
    this.#answered = true;
    resolve(value);
  }

  /** Whether a message waits to be handled, or an answer to be posted: both need the event loop. */
  get #mustGiveWay(): boolean {
    return this.#answered || Atomics.load(this.#control, MESSAGES) !== this.#handled;
  }

  /** Takes what is in the ring by now. */
  #takeFromRing(): void {
    const control = this.#control;
    const tail = Atomics.load(control, RING_TAIL);
    for (let head = Atomics.load(control, RING_HEAD); head !== tail; ) {
      const at = descriptorAt(head);
      const lane = this.#lanes.get(Atomics.load(control, at));
      if (lane === undefined) return; // its provider is announced by a message that is under way
      const batch = Atomics.load(control, at + 1);
      const firstSlab = Atomics.load(control, at + 2);
      head = (head + 1) | 0;
      Atomics.store(control, RING_HEAD, head);
      lane.run(batch, firstSlab, [], false, ignoreAnswers);
      lane.proceed();
      if (!lane.idle) this.#waiting.add(lane);
    }
  }

  #retryWaiting(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const lane of this.#waiting) {
      next = Math.min(next, lane.proceed());
      if (lane.idle) this.#waiting.delete(lane);
    }
    return next;
  }

  #someWaitForPromises(): boolean {
    for (const lane of this.#waiting) if (lane.waitsForPromise) return true;
    return false;
  }

  #scheduleServe(): void {
    if (this.#serveScheduled) return;
    this.#serveScheduled = true;
    setImmediate(this.#serve);
  }

  /** Works, and waits on the doorbell, until a message comes or all is quiet. */
  #serve = (): void => {
    this.#serveScheduled = false;
    this.#answered = false;
    clearTimeout(this.#retryTimer);
    const control = this.#control;
    Atomics.store(control, WORKER_STATE, STATE_AWAKE);
    for (;;) {
      const seen = Atomics.load(control, DOORBELL);
      this.#takeFromRing();
      const retryAt = this.#retryWaiting();
      this.#tell();
      if (this.#mustGiveWay) {
        // one round of the event loop; the state stays AWAKE, since the ring is looked at again then
        this.#scheduleServe();
        return;
      }
      if (Atomics.load(control, DOORBELL) !== seen) continue;
      if (this.#someWaitForPromises()) {
        if (retryAt !== Number.POSITIVE_INFINITY)
          this.#retryTimer = setTimeout(this.#serve, retryAt - performance.now());
        if (this.#leave()) return;
        continue;
      }
      const rang = this.#await(seen, retryAt - performance.now());
      if (rang || retryAt !== Number.POSITIVE_INFINITY) continue;
      this.#tidyUp();
      if (this.#leave()) return;
    }
  };

  /** Watches the doorbell for a moment, then sleeps on it; false if it did not ring in time. */
  #await(seen: number, retryInMs: number): boolean {
    const control = this.#control;
    const start = performance.now();
    const watchUntil = start + this.#watchMs;
    while (performance.now() < watchUntil) {
      if (Atomics.load(control, DOORBELL) !== seen) return true;
    }
    Atomics.store(control, WORKER_STATE, STATE_ASLEEP);
    const result = Atomics.wait(control, DOORBELL, seen, Math.max(Math.min(LINGER_MS, retryInMs), 0));
    Atomics.store(control, WORKER_STATE, STATE_AWAKE);
    this.#watchMs = performance.now() - start < 4 * WATCH_MS ? WATCH_MS : 0;
    return result !== 'timed-out';
  }

  /** Returns to the event loop for as long as all is quiet, unless a batch has just come; then false. */
  #leave(): boolean {
    const control = this.#control;
    Atomics.store(control, WORKER_STATE, STATE_IN_EVENT_LOOP);
    if (Atomics.load(control, RING_HEAD) === Atomics.load(control, RING_TAIL)) return true;
    Atomics.store(control, WORKER_STATE, STATE_AWAKE);
    return false;
  }

  #tidyAgain(): void {
    this.#tidyTimer ??= setTimeout(this.#tidyUp, TIDY_AGAIN_MS);
  }

  /** One lane at a time, and no further once there is work. */
  #tidyUp = (): void => {
    const control = this.#control;
    clearTimeout(this.#tidyTimer);
    this.#tidyTimer = undefined;
    for (const lane of this.#lanes.values()) {
      if (Atomics.load(control, RING_HEAD) !== Atomics.load(control, RING_TAIL)) return;
      if (!lane.idle) continue;
      const again = lane.tidyUp();
      if (again === true) this.#tidyAgain();
      else if (again !== false) void again.then((later) => later && this.#tidyAgain());
    }
  };
}

function ignoreAnswers(): void {
  // what went by the ring has no reads
}

/**
 * What was handed over is done with: its memory goes back now. Else it would stay until the garbage is
 * collected, be a reason to do so, and that takes the main thread's core for milliseconds.
 */
function free(attachment: Attachment | undefined): void {
  if (attachment?.buffer instanceof ArrayBuffer) attachment.buffer.transfer(0);
}

/** SQLite's answers and lengths lie in buffers of their own: they are handed over. */
function buffersOf(result: ReadResult): ArrayBuffer[] {
  if (result.kind === 'bytes') return result.bytes === undefined ? [] : [result.bytes.buffer as ArrayBuffer];
  return result.blocks.flatMap(({ bytes, lengths }) => [bytes.buffer as ArrayBuffer, lengths.buffer as ArrayBuffer]);
}
