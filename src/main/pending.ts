/** What waits for something, each under a small number that is used again: a `Map` makes garbage that lasts (see `lane-set.ts`). */
export class Pending<T> {
  readonly #waiting: (T | undefined)[] = [];
  readonly #free: number[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(what: T): number {
    const place = this.#free.pop() ?? this.#waiting.length;
    this.#waiting[place] = what;
    this.#size++;
    return place;
  }

  take(place: number): T | undefined {
    const what = this.#waiting[place];
    if (what === undefined) return undefined;
    this.#waiting[place] = undefined;
    this.#free.push(place);
    this.#size--;
    return what;
  }

  clear(): void {
    this.#waiting.length = this.#free.length = this.#size = 0;
  }
}
