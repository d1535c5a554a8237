/** A shared histogram of the delays to the commit; with eight steps an octave a percentile is right within a tenth. */

const STEPS = 8;
/** From a microsecond to an hour. */
const OCTAVES = 32;
const COUNTS = STEPS * OCTAVES;
/** In the cell behind the counts: the longest delay, in microseconds. */
const MOST = COUNTS;

export class Delays {
  readonly shared: SharedArrayBuffer;
  readonly #cells: Uint32Array;

  constructor(shared = new SharedArrayBuffer((COUNTS + 1) * 4)) {
    this.shared = shared;
    this.#cells = new Uint32Array(shared);
  }

  add(milliseconds: number): void {
    const microseconds = Math.max(milliseconds * 1000, 1);
    const index = Math.min(Math.floor(Math.log2(microseconds) * STEPS), COUNTS - 1);
    this.#cells[index] = (this.#cells[index] ?? 0) + 1;
    this.#cells[MOST] = Math.max(this.#cells[MOST] ?? 0, microseconds);
  }

  get most(): number {
    return (this.#cells[MOST] ?? 0) / 1000;
  }

  /** The delay that so large a part of all did not exceed; 0 if there was none. */
  percentile(part: number): number {
    const counts = this.#cells.subarray(0, COUNTS);
    let left = Math.ceil(counts.reduce((total, count) => total + count, 0) * part);
    for (const [index, count] of counts.entries()) {
      left -= count;
      if (count > 0 && left <= 0) return Math.min(2 ** ((index + 1) / STEPS) / 1000, this.most);
    }
    return 0;
  }
}
