/**
 * When this thread works, sleeps, or returns to its event loop, and when it tells the main side.
 *
 * While batches come, it dozes: it sleeps for some milliseconds at a time and finds by itself what has
 * come, so that the main side need not wake it, and calls are added to a batch meanwhile. After a pause in the
 * traffic it sleeps until it is rung, and after a longer one it returns to its event loop, where a Comlink call wakes it.
 */
import {
  DOORBELL,
  PROGRESS,
  STATE_ASLEEP,
  STATE_AWAKE,
  STATE_DOZING,
  STATE_IN_EVENT_LOOP,
  WANTED,
  WANTED_LATER,
  WORKER_STATE,
} from '../protocol/control.ts';
import type { Ring } from '../protocol/ring.ts';
import { clearTimeout, performance, setImmediate, setTimeout } from '../protocol/surroundings.ts';

/** How long it dozes at a time, if nobody waits. */
const DOZE_MS = 3.5;
/** After a batch another one is expected within this time. */
const TRAFFIC_MS = 50;
/** After this much quiet the loop tells what nobody has waited for. */
const TELL_LATER_MS = 100;
/** Waking the main side costs both sides more than a small batch: with many in the ring, it is not told of each. */
const TELL_MS = 1;
/** What could not be tidied up yet, because another process was reading or it is too early, is tried again after this. */
const TIDY_AGAIN_MS = 1000;

/** What is to be done in it. */
interface Work {
  /** Takes what is in the ring. */
  take(): void;
  /** Goes on with what waits; returns when to do so again. */
  proceed(): number;
  /** Whether something waits for a promise, which needs the event loop. */
  readonly waitsForPromise: boolean;
  /** A pause of some milliseconds, between batches. */
  pause(): void;
  /** Tidies up while there is nothing else to do; returns whether to come again later. */
  tidyUp(): boolean;
}

export class Loop {
  readonly #control: Int32Array;
  readonly #ring: Ring;
  readonly #work: Work;
  readonly #lingerMs: number;
  readonly #thread: { readonly isAlone: boolean };
  #scheduled = false;
  /** Whether an answer waits to be posted, which takes the event loop. */
  #answered = false;
  /** Whether there is progress that the main side was not woken for; whether it must be soon; when it was last. */
  #untold = false;
  #urgent = false;
  #toldAt = 0;
  #timer: NodeJS.Timeout | undefined;
  /** When there was last something to do, and when the last batch came. */
  #workedAt = 0;
  #batchAt = 0;
  #tidyAt = Number.POSITIVE_INFINITY;

  /**
   * @param lingerMs - after this much quiet it returns to its event loop
   * @param thread - whether this loop may sleep in it: the only one there
   */
  constructor(control: Int32Array, ring: Ring, work: Work, lingerMs: number, thread: { readonly isAlone: boolean }) {
    this.#control = control;
    this.#ring = ring;
    this.#work = work;
    this.#lingerMs = lingerMs;
    this.#thread = thread;
  }

  /** Serves again, once the event loop has had its turn. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#serve);
  }

  worked(): void {
    this.#workedAt = performance.now();
    this.#tidyAt = this.#workedAt + TRAFFIC_MS;
  }

  batchCame(): void {
    this.worked();
    this.#batchAt = this.#workedAt;
  }

  /** Comlink posts an answer once this thread has left whatever it is in. */
  answered(): void {
    this.#answered = true;
  }

  /** Something is finished. */
  progressed(): void {
    Atomics.add(this.#control, PROGRESS, 1);
    this.#untold = true;
    if (performance.now() - this.#toldAt >= TELL_MS) this.tellIfWanted();
  }

  /** A failure is not kept back: nobody may be waiting, but somebody may be listening. */
  failed(): void {
    this.#urgent = true;
  }

  /** Wakes the main side, if there is progress it was not woken for and somebody waits. */
  tellIfWanted(): void {
    // The main side says that it waits first and looks at the commit point after that; here it is the
    // other way round: so one of the two always sees the other (both cells are sequentially consistent).
    if (this.#untold && (this.#urgent || Atomics.load(this.#control, WANTED) !== WANTED_LATER)) this.#tell();
  }

  #tell(): void {
    this.#untold = this.#urgent = false;
    this.#toldAt = performance.now();
    Atomics.notify(this.#control, PROGRESS);
  }

  /** Works, and sleeps on the doorbell, until a Comlink call comes or all is quiet. */
  #serve = (): void => {
    this.#scheduled = false;
    this.#answered = false;
    clearTimeout(this.#timer);
    const control = this.#control;
    Atomics.store(control, WORKER_STATE, STATE_AWAKE);
    for (;;) {
      const seen = Atomics.load(control, DOORBELL);
      this.#work.take();
      const retryAt = this.#work.proceed();
      this.tellIfWanted();
      if (this.#answered || this.#ring.callWaits) {
        // one round of the event loop; the state stays AWAKE, because the ring is looked at again then
        this.schedule();
        return;
      }
      if (Atomics.load(control, DOORBELL) !== seen) continue;
      const now = performance.now();
      this.#doWhatIsDue(now);
      if (this.#work.waitsForPromise) {
        this.#await(retryAt);
        return;
      }
      if (now < this.#batchAt + TRAFFIC_MS) this.#work.pause();
      if (now >= this.#workedAt + this.#lingerMs && retryAt === Number.POSITIVE_INFINITY) {
        if (this.#leave(this.#tidyAt)) return;
        continue;
      }
      if (!this.#thread.isAlone) {
        this.#await(retryAt);
        return;
      }
      this.#sleep(seen, now, retryAt);
    }
  };

  #doWhatIsDue(now: number): void {
    if (this.#untold && now >= this.#workedAt + TELL_LATER_MS) this.#tell();
    if (now < this.#tidyAt) return;
    this.#tidyAt = this.#work.tidyUp() ? performance.now() + TIDY_AGAIN_MS : Number.POSITIVE_INFINITY;
  }

  #sleep(seen: number, now: number, retryAt: number): void {
    const control = this.#control;
    const doze = now < this.#batchAt + TRAFFIC_MS;
    const due = this.#untold ? this.#workedAt + TELL_LATER_MS : Number.POSITIVE_INFINITY;
    // it stays for what waits, however long ago there was something to do
    const stays = retryAt === Number.POSITIVE_INFINITY ? this.#workedAt + this.#lingerMs : retryAt;
    const until = Math.min(doze ? now + DOZE_MS : stays, retryAt, due, this.#tidyAt);
    Atomics.store(control, WORKER_STATE, doze ? STATE_DOZING : STATE_ASLEEP);
    // The main side writes to the ring first and reads the state after that, and rings only one that
    // sleeps, or dozes while somebody waits; here it is the other way round.
    if (doze || this.#ring.isEmpty) Atomics.wait(control, DOORBELL, seen, Math.max(until - now, 0));
    Atomics.store(control, WORKER_STATE, STATE_AWAKE);
  }

  /**
   * Lets the event loop have its turn until a promise is settled, or for other loops of this thread. The state stays AWAKE, so that nobody calls for
   * batches that have to wait all the same; those of other files are looked for as in a doze.
   */
  #await(retryAt: number): void {
    this.#timer = setTimeout(this.#serve, Math.max(Math.min(retryAt - performance.now(), DOZE_MS), 1));
  }

  /** Returns to the event loop until it is called, or it is time; false if a batch has just come. */
  #leave(until: number): boolean {
    const control = this.#control;
    Atomics.store(control, WORKER_STATE, STATE_IN_EVENT_LOOP);
    if (this.#ring.isEmpty) {
      if (until !== Number.POSITIVE_INFINITY)
        this.#timer = setTimeout(this.#serve, Math.max(until - performance.now(), 1));
      return true;
    }
    Atomics.store(control, WORKER_STATE, STATE_AWAKE);
    return false;
  }
}
