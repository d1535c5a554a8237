/**
 * Patches that are gathered for the next INSERTs. Those of several stores are put in order by store:
 * each store has its own place in the index, and going from place to place for each row costs three
 * times as much once there are a thousand stores.
 */

type Value = string | number | Uint8Array;

/**
 * Binding costs less than running, up to some 32 rows a statement; longer ones are slower again
 * (measured with 8 to 128).
 */
export const ROWS_A_STATEMENT = 32;
/** So many rows of several stores are gathered, to have several of each store. */
const MOST_ROWS = 16_384;

export class PatchRows {
  /** Store, clock, bytes, again and again: as the statements are bound. */
  #values: Value[] = [];
  /** Where the entry of each row lies. */
  #entries: number[] = [];
  /** Rows of each store, if there are several stores. */
  #byStore: Map<string, number[]> | undefined;
  #firstStore = '';

  get count(): number {
    return this.#entries.length;
  }

  /** Adds a row; returns whether the rows should be inserted now. */
  add(storeId: string, clock: number, data: Uint8Array, entry: number): boolean {
    const row = this.#entries.length;
    if (row === 0) this.#firstStore = storeId;
    if (this.#byStore === undefined && storeId !== this.#firstStore) {
      this.#byStore = new Map([[this.#firstStore, Array.from({ length: row }, (_, index) => index)]]);
    }
    if (this.#byStore !== undefined) {
      const rows = this.#byStore.get(storeId);
      if (rows === undefined) this.#byStore.set(storeId, [row]);
      else rows.push(row);
    }
    this.#values.push(storeId, clock, data);
    this.#entries.push(entry);
    return this.#entries.length >= (this.#byStore === undefined ? ROWS_A_STATEMENT : MOST_ROWS);
  }

  /** Puts the rows in order by store; rows of a store keep theirs. */
  order(): void {
    if (this.#byStore === undefined) return;
    const values: Value[] = [];
    const entries: number[] = [];
    for (const storeId of [...this.#byStore.keys()].sort()) {
      for (const row of this.#byStore.get(storeId) ?? []) {
        values.push(...this.values(row, 1));
        entries.push(this.entryOf(row));
      }
    }
    this.#values = values;
    this.#entries = entries;
  }

  /** The values of rows, to be bound. */
  values(first: number, count: number): Value[] {
    if (first === 0 && count === this.count) return this.#values;
    return this.#values.slice(first * 3, (first + count) * 3);
  }

  entryOf(row: number): number {
    return this.#entries[row] ?? 0;
  }

  clear(): void {
    if (this.#entries.length === 0) return;
    // not kept: the views of the last rows would keep what they look at
    this.#values = [];
    this.#entries = [];
    this.#byStore = undefined;
  }
}
