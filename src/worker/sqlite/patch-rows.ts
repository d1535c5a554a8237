/**
 * Patches that are gathered for the next INSERTs, by store: each store has its own place in the index,
 * and going from place to place for each row costs twice as much once there are a thousand stores (the
 * benchmark's `design-stores`). What holds the rows is used again and again: a thousand small batches a
 * second would else make so much garbage that its collection takes the main thread's core.
 */

type Value = string | number | Uint8Array;

const nothing = new Uint8Array(0);
/** Binding costs less than running, up to some 32 rows a statement; longer ones are slower again (8 to 128 measured). */
export const ROWS_A_STATEMENT = 32;
/** The most rows that are gathered. */
const MOST_ROWS = 16_384;
/** Room for the rows of so many stores stays between transactions: some 3 KB each, for each file. */
const MOST_STORES = 64;

/** Up to as many rows as one INSERT takes. */
export class Rows {
  /** Store, clock, bytes, again and again: as a statement is bound. */
  readonly values: Value[] = [];
  /** Where the entry of each row lies. */
  readonly entries: number[] = [];
  count = 0;

  add(storeId: string, clock: number, data: Uint8Array, entry: number): void {
    const at = this.count * 3;
    this.values[at] = storeId;
    this.values[at + 1] = clock;
    this.values[at + 2] = data;
    this.entries[this.count++] = entry;
  }

  addFrom(other: Rows, row: number): void {
    const { values } = other;
    const at = row * 3;
    this.add(values[at] as string, values[at + 1] as number, values[at + 2] as Uint8Array, other.entries[row] ?? 0);
  }

  get isFull(): boolean {
    return this.count === ROWS_A_STATEMENT;
  }

  /** Forgets the rows, and above all the views, which would keep what they look at. */
  clear(): void {
    for (let row = 0; row < this.count; row++) this.values[row * 3 + 2] = nothing;
    this.count = 0;
  }
}

class RowsOfStore extends Rows {
  readonly storeId: string;
  /** Whether there are or were rows in this transaction. */
  used = false;

  constructor(storeId: string) {
    super();
    this.storeId = storeId;
  }
}

export class PatchRows {
  /** Not cleared with `Map.clear`: each old table would keep the next one, and all of them their rows, until a full garbage collection. */
  #stores = new Map<string, RowsOfStore>();
  /** Those with rows in this transaction. */
  readonly #used: RowsOfStore[] = [];
  /** The store that came last: often it is the next one as well. */
  #latest: RowsOfStore | undefined;
  /** Rows of several stores, while they are taken out. */
  readonly #mixed = new Rows();
  count = 0;

  /** The stores of which there are or were rows: each has its place in the index. */
  get stores(): number {
    return this.#used.length;
  }

  get isFull(): boolean {
    return this.count >= MOST_ROWS;
  }

  /** Adds a row; inserts the rows of its store once they fill a statement. */
  add(storeId: string, clock: number, data: Uint8Array, entry: number, insert: (rows: Rows) => void): void {
    let rows = this.#latest;
    if (rows === undefined || rows.storeId !== storeId) rows = this.#turnTo(storeId);
    rows.add(storeId, clock, data, entry);
    this.count++;
    if (!rows.isFull) return;
    insert(rows);
    rows.clear();
    this.count -= ROWS_A_STATEMENT;
  }

  #turnTo(storeId: string): RowsOfStore {
    let rows = this.#stores.get(storeId);
    if (rows === undefined) {
      rows = new RowsOfStore(storeId);
      this.#stores.set(storeId, rows);
    }
    if (!rows.used) {
      rows.used = true;
      this.#used.push(rows);
    }
    this.#latest = rows;
    return rows;
  }

  /** Inserts all rows, store after store, a statement's worth at a time. */
  drain(insert: (rows: Rows) => void): void {
    const mixed = this.#mixed;
    for (const rows of this.#used.sort(byStore)) {
      for (let row = 0; row < rows.count; row++) {
        mixed.addFrom(rows, row);
        if (!mixed.isFull) continue;
        insert(mixed);
        mixed.clear();
      }
    }
    if (mixed.count > 0) insert(mixed);
    this.clear();
  }

  clear(): void {
    this.#mixed.clear();
    for (const rows of this.#used) {
      rows.clear();
      rows.used = false;
    }
    this.#used.length = 0;
    this.#latest = undefined;
    this.count = 0;
    if (this.#stores.size > MOST_STORES) this.#stores = new Map();
  }
}

function byStore(a: RowsOfStore, b: RowsOfStore): number {
  return a.storeId < b.storeId ? -1 : 1;
}
