/**
 * Some of a worker's queues, each once. A `Set` whose members come and go makes a new table every few
 * changes, and each of V8's old tables keeps the next one: all of them, and whatever was added
 * meanwhile, outlive the garbage collections of young objects, which take the longer for it.
 */
import type { FileQueue } from './file-queue.ts';

export class QueueSet {
  readonly #queues: FileQueue[] = [];
  /** By the queue's id, a small number: one more than its index, 0 for a queue that is not here. */
  readonly #places: number[] = [];

  get size(): number {
    return this.#queues.length;
  }

  has(queue: FileQueue): boolean {
    return (this.#places[queue.id] ?? 0) !== 0;
  }

  add(queue: FileQueue): void {
    if (this.has(queue)) return;
    while (this.#places.length < queue.id) this.#places.push(0);
    this.#places[queue.id] = this.#queues.push(queue);
  }

  delete(queue: FileQueue): void {
    const location = this.#places[queue.id] ?? 0;
    if (location === 0) return;
    this.#places[queue.id] = 0;
    const last = this.#queues.pop();
    if (last === undefined || last === queue) return;
    this.#queues[location - 1] = last;
    this.#places[last.id] = location;
  }

  clear(): void {
    this.#queues.length = 0;
    this.#places.fill(0);
  }

  every(holds: (queue: FileQueue) => boolean): boolean {
    return this.#queues.every(holds);
  }

  /** Calls with each queue that was here; any may be taken out or added meanwhile. */
  forEach(visit: (queue: FileQueue) => void): void {
    // from the end: what `delete` moves to a free place was visited before
    for (let index = this.#queues.length - 1; index >= 0; index--) {
      const queue = this.#queues[index];
      if (queue !== undefined) visit(queue);
    }
  }
}
