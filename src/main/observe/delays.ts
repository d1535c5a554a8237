/** A histogram of delays in little memory: eight steps an octave, so that a percentile is right within a tenth. */

const STEPS = 8;
/** From a microsecond to an hour. */
const OCTAVES = 32;

export class Delays {
  #counts: Uint32Array | undefined;
  #total = 0;
  #most = 0;

  add(milliseconds: number): void {
    // a thousand files that nothing is written to need none
    this.#counts ??= new Uint32Array(STEPS * OCTAVES);
    const step = Math.max(Math.floor(Math.log2(milliseconds * 1000) * STEPS), 0);
    const index = Math.min(step, STEPS * OCTAVES - 1);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#total++;
    if (milliseconds > this.#most) this.#most = milliseconds;
  }

  get most(): number {
    return this.#most;
  }

  /** The delay that so large a part of all did not exceed; 0 if there was none. */
  percentile(part: number): number {
    let left = Math.ceil(this.#total * part);
    for (const [index, count] of (this.#counts ?? []).entries()) {
      left -= count;
      if (count > 0 && left <= 0) return Math.min(2 ** ((index + 1) / STEPS) / 1000, this.#most);
    }
    return 0;
  }
}
