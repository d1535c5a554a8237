/**
 * Leaves the processor to whoever commits: a thread of low priority still gets its slices, and the caches with
 * them. So while there is traffic in the calling thread, it sleeps between two pieces of work as long as each took.
 */
import { performance } from '../../protocol/surroundings.ts';

/** Waking up costs more than a shorter piece is worth. */
const LEAST_MS = 2;
/** A piece may have waited for the disk, or for a core. */
const MOST_MS = 20;
/** What nobody waits for is settled, and so counted, up to 100 ms late. */
const TRAFFIC_MS = 150;

export class Throttle {
  readonly #traffic: Int32Array;
  #seen: number;
  #trafficUntil = 0;
  #begunAt = performance.now();

  constructor(traffic: SharedArrayBuffer) {
    this.#traffic = new Int32Array(traffic);
    this.#seen = Atomics.load(this.#traffic, 0);
  }

  /** Between two pieces of work; returns for how many milliseconds it slept at most. */
  pause(): number {
    const took = performance.now() - this.#begunAt;
    if (took < LEAST_MS) return 0;
    const count = Atomics.load(this.#traffic, 0);
    if (count !== this.#seen) this.#trafficUntil = performance.now() + TRAFFIC_MS;
    this.#seen = count;
    // nobody rings this cell: it is a sleep
    const sleep = performance.now() < this.#trafficUntil ? Math.min(took, MOST_MS) : 0;
    if (sleep > 0) Atomics.wait(this.#traffic, 0, count, sleep);
    this.#begunAt = performance.now();
    return sleep;
  }
}
