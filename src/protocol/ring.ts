/** The ring: the main side announces batches in it, in order with its Comlink calls, and the worker takes them. */
import { CALLS, DESCRIPTOR_CELLS, RING_CAPACITY, RING_HEAD, RING_START, RING_TAIL, reached } from './control.ts';

/** The cells of what is said of a batch; the last one is `CALLS` as it was before it. */
const FILE = 0;
const NUMBER = 1;
const FIRST_SLAB = 2;
const ASKED_AT = 3;
const CALLS_BEFORE = 4;

export class Ring {
  readonly #control: Int32Array;
  /** Calls that the worker has handled, to be compared with those made. */
  #handled = 0;

  constructor(control: Int32Array) {
    this.#control = control;
  }

  // ---- the main side ------------------------------------------------------------------------------

  /** Returns false if it is full. `askedAt` is as in `clock.ts`. */
  push(file: number, number: number, firstSlab: number, askedAt: number): boolean {
    const control = this.#control;
    const tail = Atomics.load(control, RING_TAIL);
    if (reached(tail, Atomics.load(control, RING_HEAD) + RING_CAPACITY)) return false;
    const start = startOf(tail);
    control[start + FILE] = file;
    control[start + NUMBER] = number;
    control[start + FIRST_SLAB] = firstSlab;
    control[start + ASKED_AT] = askedAt;
    control[start + CALLS_BEFORE] = Atomics.load(control, CALLS);
    Atomics.store(control, RING_TAIL, (tail + 1) | 0);
    return true;
  }

  // ---- the worker ---------------------------------------------------------------------------------

  /** Takes what is in there by now, up to what was written behind a call that is not handled yet. */
  take(run: (file: number, number: number, firstSlab: number, askedAt: number) => void): void {
    const control = this.#control;
    const tail = Atomics.load(control, RING_TAIL);
    for (let head = Atomics.load(control, RING_HEAD); head !== tail; ) {
      const start = startOf(head);
      if (!reached(this.#handled, Atomics.load(control, start + CALLS_BEFORE))) return;
      const file = Atomics.load(control, start + FILE);
      const number = Atomics.load(control, start + NUMBER);
      const firstSlab = Atomics.load(control, start + FIRST_SLAB);
      const askedAt = Atomics.load(control, start + ASKED_AT);
      run(file, number, firstSlab, askedAt); // what throws is not taken
      head = (head + 1) | 0;
      Atomics.store(control, RING_HEAD, head);
    }
  }

  get isEmpty(): boolean {
    return Atomics.load(this.#control, RING_HEAD) === Atomics.load(this.#control, RING_TAIL);
  }

  /** Told of each call, after what was in here before it was taken. */
  callHandled(): void {
    this.#handled = (this.#handled + 1) | 0;
  }

  /** Whether a call waits to be handled. */
  get callWaits(): boolean {
    return Atomics.load(this.#control, CALLS) !== this.#handled;
  }
}

/** The first cell of the descriptor with this running number. */
function startOf(running: number): number {
  return RING_START + ((running >>> 0) % RING_CAPACITY) * DESCRIPTOR_CELLS;
}
