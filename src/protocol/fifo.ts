/** What waits, oldest first, however much it is: `shift` of a long array moves all that is behind. */
export class Fifo<T extends object> {
  #items: (T | undefined)[] = [];
  /** Where the first one is; those before it are taken out. */
  #start = 0;

  get length(): number {
    return this.#items.length - this.#start;
  }

  get first(): T | undefined {
    return this.#items[this.#start];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    const { first } = this;
    if (first === undefined) return undefined;
    this.#items[this.#start++] = undefined; // it may hold much
    if (2 * this.#start >= this.#items.length) this.#cut();
    return first;
  }

  #cut(): void {
    this.#items.splice(0, this.#start);
    this.#start = 0;
  }

  remove(item: T): void {
    if (item === this.first) {
      this.shift();
      return;
    }
    this.#cut();
    const at = this.#items.indexOf(item);
    if (at >= 0) this.#items.splice(at, 1);
  }

  /** Puts others before those that are there. */
  putBack(items: readonly T[]): void {
    this.#items = [...items, ...this.takeAll()];
  }

  takeAll(): T[] {
    const all = [...this];
    this.#items = [];
    return all;
  }

  [Symbol.iterator](): ArrayIterator<T> {
    this.#cut();
    return (this.#items as T[]).values(); // none of those was taken out
  }
}
