/** The worker's end of the ring: batches, in order with the Comlink calls that were made between them. */
import {
  CALLS,
  DESCRIPTOR_BEGUN_AT,
  DESCRIPTOR_CALLS,
  DESCRIPTOR_FILE,
  DESCRIPTOR_FIRST_SLAB,
  DESCRIPTOR_NUMBER,
  descriptorAt,
  RING_HEAD,
  RING_TAIL,
  reached,
} from '../../protocol/control.ts';

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
      if (!reached(this.#handled, Atomics.load(control, at + DESCRIPTOR_CALLS))) return;
      const file = Atomics.load(control, at + DESCRIPTOR_FILE);
      const batch = Atomics.load(control, at + DESCRIPTOR_NUMBER);
      const firstSlab = Atomics.load(control, at + DESCRIPTOR_FIRST_SLAB);
      const begunAt = Atomics.load(control, at + DESCRIPTOR_BEGUN_AT);
      head = (head + 1) | 0;
      Atomics.store(control, RING_HEAD, head);
      run(file, batch, firstSlab, begunAt);
    }
  }

  get isEmpty(): boolean {
    return Atomics.load(this.#control, RING_HEAD) === Atomics.load(this.#control, RING_TAIL);
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
