/** The worker's end of the ring: batches, in order with the Comlink calls that were made between them. */

import { cellTime, msBetween } from '../../protocol/clock.ts';
import { CALLS, descriptorAt, RING_HEAD, RING_TAIL, reached } from '../../protocol/control.ts';

export class RingReader {
  readonly #control: Int32Array;
  /** Calls handled, to be compared with those made. */
  #handled = 0;

  constructor(control: Int32Array) {
    this.#control = control;
  }

  /** Takes what is in the ring by now, up to what was written behind a call that is not handled yet. */
  take(run: (file: number, batch: number, firstSlab: number, begunAt: number) => void): void {
    const control = this.#control;
    const tail = Atomics.load(control, RING_TAIL);
    for (let head = Atomics.load(control, RING_HEAD); head !== tail; ) {
      const at = descriptorAt(head);
      if (!reached(this.#handled, Atomics.load(control, at + 3))) return;
      const file = Atomics.load(control, at);
      const batch = Atomics.load(control, at + 1);
      const firstSlab = Atomics.load(control, at + 2);
      const begunAt = Atomics.load(control, at + 4);
      head = (head + 1) | 0;
      Atomics.store(control, RING_HEAD, head);
      run(file, batch, firstSlab, begunAt);
    }
  }

  get isEmpty(): boolean {
    return Atomics.load(this.#control, RING_HEAD) === Atomics.load(this.#control, RING_TAIL);
  }

  /** For how long the oldest batch in it has waited; only while it is not empty. */
  waitedMs(now: number): number {
    const control = this.#control;
    return msBetween(Atomics.load(control, descriptorAt(Atomics.load(control, RING_HEAD)) + 4), cellTime(now));
  }

  /** Told of each call, after what the ring held before it was taken. */
  callHandled(): void {
    this.#handled = (this.#handled + 1) | 0;
  }

  /** Whether a call waits to be handled. */
  get callWaits(): boolean {
    return Atomics.load(this.#control, CALLS) !== this.#handled;
  }
}
