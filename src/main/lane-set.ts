/**
 * Some of a worker's lanes, each once. A `Set` whose members come and go makes a new table every few
 * changes, and each of V8's old tables keeps the next one: all of them, and whatever was added
 * meanwhile, outlive the garbage collections of young objects, which take the longer for it.
 */
import type { Lane } from './lane.ts';

export class LaneSet {
  readonly #lanes: Lane[] = [];
  /** By the lane's id, a small number: one more than its index, 0 for a lane that is not here. */
  readonly #places: number[] = [];

  get size(): number {
    return this.#lanes.length;
  }

  has(lane: Lane): boolean {
    return (this.#places[lane.id] ?? 0) !== 0;
  }

  add(lane: Lane): void {
    if (this.has(lane)) return;
    while (this.#places.length < lane.id) this.#places.push(0);
    this.#places[lane.id] = this.#lanes.push(lane);
  }

  delete(lane: Lane): void {
    const place = this.#places[lane.id] ?? 0;
    if (place === 0) return;
    this.#places[lane.id] = 0;
    const last = this.#lanes.pop();
    if (last === undefined || last === lane) return;
    this.#lanes[place - 1] = last;
    this.#places[last.id] = place;
  }

  clear(): void {
    this.#lanes.length = 0;
    this.#places.fill(0);
  }

  every(holds: (lane: Lane) => boolean): boolean {
    return this.#lanes.every(holds);
  }

  /** Calls with each lane that was here; any may be taken out or added meanwhile. */
  forEach(visit: (lane: Lane) => void): void {
    // from the end: what `delete` moves to a free place was visited before
    for (let index = this.#lanes.length - 1; index >= 0; index--) {
      const lane = this.#lanes[index];
      if (lane !== undefined) visit(lane);
    }
  }
}
