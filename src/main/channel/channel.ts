/** This side of what is shared with a worker: ring, doorbell, progress. For Comlink: `worker-link.ts`. */

import { outsideOfCalls } from '../../protocol/async-context.ts';
import { stoppedMs } from '../../protocol/clock.ts';
import {
  BOOTED,
  CALLS,
  CHECKPOINT_MICROSECONDS,
  CHECKPOINTS,
  CONTROL_CELLS,
  DOORBELL,
  FILE_AT_WORK,
  FOREIGN_WRITER,
  MAX_FILES,
  OWNER,
  PROGRESS,
  RETIRED,
  RING_HEAD,
  RING_TAIL,
  type SharedMemory,
  STATE_ASLEEP,
  STATE_AWAKE,
  STATE_DOZING,
  STATE_IN_EVENT_LOOP,
  THREAD_ID,
  WANTED,
  WORKER_STATE,
  WORKS_BEGUN,
} from '../../protocol/control.ts';
import { ErrorBoard } from '../../protocol/error-board.ts';
import { Ring } from '../../protocol/ring.ts';
import { performance } from '../../protocol/surroundings.ts';
import { needStack } from '../enough-stack.ts';

/** A blocked thread looks this often whether its worker still lives. */
const LIFE_CHECK_MS = 50;

/**
 * For how long this thread has waited, for whichever worker. That it was late, or stopped, does not count: it has not looked meanwhile,
 * and workers may have lacked a core as well.
 */
let waitedMs = 0;

export class Channel {
  readonly commitPoints = new Int32Array(new SharedArrayBuffer(MAX_FILES * 4));
  readonly errorBoard = new ErrorBoard();
  readonly #control = new Int32Array(new SharedArrayBuffer(CONTROL_CELLS * 4));
  readonly batches = new Ring(this.#control);
  #listening = false;

  /** What a worker is given at its start. */
  sharedWith(arena: SharedArrayBuffer): SharedMemory {
    return {
      owner: OWNER,
      control: this.#control.buffer as SharedArrayBuffer,
      commitPoints: this.commitPoints.buffer as SharedArrayBuffer,
      board: this.errorBoard.shared,
      arena,
    };
  }

  /** For a new worker, which has taken nothing yet. */
  reset(): void {
    for (const cell of [RING_HEAD, RING_TAIL, BOOTED, THREAD_ID, CALLS, FILE_AT_WORK])
      Atomics.store(this.#control, cell, 0);
    Atomics.store(this.#control, WORKER_STATE, STATE_IN_EVENT_LOOP);
  }

  get booted(): boolean {
    return Atomics.load(this.#control, BOOTED) !== 0;
  }

  get retired(): boolean {
    return Atomics.load(this.#control, BOOTED) === RETIRED;
  }

  /** How many checkpoints this worker and those before it ran, and for how many microseconds in all; both wrap. */
  get checkpoints(): number {
    return Atomics.load(this.#control, CHECKPOINTS) >>> 0;
  }

  get checkpointMicroseconds(): number {
    return Atomics.load(this.#control, CHECKPOINT_MICROSECONDS) >>> 0;
  }

  /** The system's number of the worker's thread, 0 if it is not known. */
  get threadId(): number {
    return Atomics.load(this.#control, THREAD_ID);
  }

  /** The number of the file whose work the worker is carrying out, or was when its thread ended. */
  get fileAtWork(): number | undefined {
    const cell = Atomics.load(this.#control, FILE_AT_WORK);
    return cell === 0 ? undefined : cell - 1;
  }

  /** The number of the piece of work that the worker is carrying out, if it is. */
  get work(): number | undefined {
    return this.fileAtWork === undefined ? undefined : Atomics.load(this.#control, WORKS_BEGUN);
  }

  /**
   * Makes the worker look at the ring, at once or within the moments that it dozes; returns false if it
   * must be called from its event loop. It tells its state before it sleeps and looks once more after
   * that, so one of the two sides always sees the other (both cells are sequentially consistent).
   */
  ring(atOnce: boolean): boolean {
    const control = this.#control;
    if (atOnce) Atomics.add(control, DOORBELL, 1);
    if (Atomics.load(control, WORKER_STATE) === STATE_IN_EVENT_LOOP) needStack(); // once it counts as awake, nobody else calls it
    const state = Atomics.compareExchange(control, WORKER_STATE, STATE_IN_EVENT_LOOP, STATE_AWAKE);
    if (state === STATE_IN_EVENT_LOOP) return false;
    if (state === STATE_ASLEEP && !atOnce) Atomics.add(control, DOORBELL, 1);
    if (state === STATE_ASLEEP || (state === STATE_DOZING && atOnce)) Atomics.notify(control, DOORBELL);
    return true;
  }

  /** The call from its event loop that `ring` has asked for was not made: the next one asks for it again. */
  notCalled(): void {
    Atomics.compareExchange(this.#control, WORKER_STATE, STATE_AWAKE, STATE_IN_EVENT_LOOP);
  }

  /** A Comlink call was made, perhaps while the worker is at work, or asleep: let it go to its event loop. */
  called(): void {
    const control = this.#control;
    Atomics.add(control, CALLS, 1);
    Atomics.add(control, DOORBELL, 1);
    const state = Atomics.load(control, WORKER_STATE);
    if (state === STATE_ASLEEP || state === STATE_DOZING) Atomics.notify(control, DOORBELL);
  }

  /** Says who wants to be told of progress. Look at the commit points after this, not before. */
  want(wanted: number): void {
    Atomics.store(this.#control, WANTED, wanted);
  }

  /** Changes with everything that the worker finishes. */
  get progress(): number {
    return Atomics.load(this.#control, PROGRESS);
  }

  /** The number of a file that another process has written to, if SQLite has a fault in that case; -1 if there was none. */
  get foreignWriter(): number {
    return Atomics.load(this.#control, FOREIGN_WRITER) - 1;
  }

  /**
   * Blocks: true once `isDone`, asked at each progress; false without any for `patienceMs`, or after `totalMs`. What `wasInVain` is none.
   * A worker that stays at one piece of work uses up no patience: it waits for nothing but the disk, and no thread can be ended, nor a
   * process, before that is done. Yields every now and then: other workers may be waited for until it is asked to go on.
   */
  *waiting(
    isDone: () => boolean,
    wasInVain: () => boolean,
    workNow: () => number | undefined,
    patienceMs: number,
    totalMs: number,
  ): Generator<void, boolean, void> {
    let start = performance.now();
    let lastLook = start;
    let lastProgress = waitedMs;
    let lastSeen = this.progress;
    let lastWork: number | undefined;
    for (;;) {
      const seen = this.progress;
      if (isDone()) return true;
      const now = performance.now();
      if (seen !== lastSeen) {
        lastSeen = seen;
        if (!wasInVain()) lastProgress = waitedMs;
      }
      const left = Math.min(lastProgress + patienceMs - waitedMs, start + totalMs - now);
      if (left <= 0) return false;
      const waitMs = Math.min(left, LIFE_CHECK_MS);
      const isTimedOut = Atomics.wait(this.#control, PROGRESS, seen, waitMs) === 'timed-out';
      const passed = performance.now() - now;
      const before = waitedMs;
      waitedMs += Math.min(passed, waitMs);
      start += stoppedMs(passed - waitMs);
      // one that gets on all the time keeps no other worker from being looked at
      if (!isTimedOut && now - lastLook < LIFE_CHECK_MS) continue;
      const work = lastWork ?? workNow();
      yield;
      lastLook = performance.now();
      lastWork = workNow();
      if (lastWork !== undefined && lastWork === work) lastProgress += waitedMs - before;
    }
  }

  /** Calls back at progress beyond what was seen, one wait at a time; false if there was some meanwhile. */
  listen(seen: number, onProgress: () => void): boolean {
    if (this.#listening) return true;
    // whoever happens to be the first to listen: the promise lives on, and all that is done then is of many calls
    return outsideOfCalls(() => {
      const wait = Atomics.waitAsync(this.#control, PROGRESS, seen);
      if (!wait.async) return false;
      this.#listening = true;
      void this.#listen(wait.value, onProgress);
      return true;
    });
  }

  /** Calls back who still listens: nobody else will any more. */
  stopListening(): void {
    Atomics.notify(this.#control, PROGRESS);
  }

  async #listen(progress: Promise<unknown>, onProgress: () => void): Promise<void> {
    await progress;
    this.#listening = false;
    onProgress();
  }
}
