/**
 * Patches that are gathered for the next INSERTs, by store: each store has its own place in the index,
 * and going from place to place for each row costs twice as much once there are a thousand stores (the
 * benchmark's `design-stores`).
 */

type Value = string | number | Uint8Array;

/** Rows of one INSERT. */
export interface Rows {
  /** Store, clock, bytes, again and again: as the statement is bound. */
  values: Value[];
  /** Where the entry of each row lies. */
  entries: number[];
}

/**
 * Binding costs less than running, up to some 32 rows a statement; longer ones are slower again
 * (measured with 8 to 128).
 */
export const ROWS_A_STATEMENT = 32;
/** So many rows are gathered at most. */
const MOST_ROWS = 16_384;

export class PatchRows {
  readonly #byStore = new Map<string, Rows>();
  /** The rows of the store that came last: often it is the next one as well. */
  #latest: Rows = { values: [], entries: [] };
  #latestStore: string | undefined;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Of so many stores there are or were rows: each has its place in the index. */
  get stores(): number {
    return this.#byStore.size;
  }

  get isFull(): boolean {
    return this.#count >= MOST_ROWS;
  }

  /** Adds a row; returns the rows of its store once they fill a statement. */
  add(storeId: string, clock: number, data: Uint8Array, entry: number): Rows | undefined {
    if (storeId !== this.#latestStore) this.#turnTo(storeId);
    const rows = this.#latest;
    rows.values.push(storeId, clock, data);
    this.#count++;
    if (rows.entries.push(entry) < ROWS_A_STATEMENT) return undefined;
    const full = { values: rows.values, entries: rows.entries };
    // not used again: the views of the last rows would keep what they look at
    rows.values = [];
    rows.entries = [];
    this.#count -= ROWS_A_STATEMENT;
    return full;
  }

  #turnTo(storeId: string): void {
    let rows = this.#byStore.get(storeId);
    if (rows === undefined) {
      rows = { values: [], entries: [] };
      this.#byStore.set(storeId, rows);
    }
    this.#latest = rows;
    this.#latestStore = storeId;
  }

  /** Takes out all rows, store after store, a statement's worth at a time. */
  *drain(): Generator<Rows> {
    let next: Rows = { values: [], entries: [] };
    for (const storeId of [...this.#byStore.keys()].sort()) {
      const { values, entries } = this.#byStore.get(storeId) as Rows; // it is one of the keys
      for (const [row, entry] of entries.entries()) {
        next.values.push(...values.slice(row * 3, row * 3 + 3));
        if (next.entries.push(entry) < ROWS_A_STATEMENT) continue;
        yield next;
        next = { values: [], entries: [] };
      }
    }
    this.clear();
    if (next.entries.length > 0) yield next;
  }

  clear(): void {
    if (this.#latestStore === undefined) return;
    this.#byStore.clear();
    this.#latest = { values: [], entries: [] };
    this.#latestStore = undefined;
    this.#count = 0;
  }
}
