/** Writes patches: many rows a statement, and what becomes of numbers that are taken. */
import { PatchRows, ROWS_A_STATEMENT, type Rows } from './patch-rows.ts';
import { LARGE_BYTES, type Statements } from './statements.ts';
import { isStored, TakenNumbers } from './taken-numbers.ts';

/**
 * INSERTs of so many rows, where a number that is taken is left as it is; what is left over goes in smaller ones.
 * Faster by a twentieth than ON CONFLICT (store_id, clock) DO NOTHING.
 */
const inserts = [ROWS_A_STATEMENT, 8, 1].map((size) => {
  const values = Array(size).fill('(?, ?, ?)').join(', ');
  return { size, sql: `INSERT OR IGNORE INTO patches (store_id, clock, data) VALUES ${values}` };
});

/** Works within one transaction at a time; `clear` ends it. */
export class PatchWriter {
  readonly #statements: Statements;
  readonly #rows = new PatchRows();
  /** Entries of patches that are lost, since their number is taken by other bytes. */
  collided: number[] = [];
  /** The places of the index where rows were inserted: each is a page that the commit writes. */
  places = 0;
  /** By store. */
  #numbers = new Map<string, TakenNumbers>();

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** Adds a patch, sooner or later; `entry` is where it came from, `keepBoth` what to do on a collision. */
  add(storeId: string, clock: number, data: Uint8Array, entry: number, keepBoth: boolean): void {
    if (keepBoth) {
      this.#keep(storeId, clock, data, entry);
      return;
    }
    // another provider of this store may keep both: what it knows of the highest number is out of date
    if (this.#numbers.size > 0) this.#numbers.delete(storeId);
    this.#append(storeId, clock, data, entry);
  }

  /** Told when patches of a store are deleted. */
  pruned(storeId: string): void {
    this.#numbers.delete(storeId);
  }

  clear(): void {
    this.places = 0;
    this.#rows.clear();
    if (this.collided.length > 0) this.collided = [];
    if (this.#numbers.size > 0) this.#numbers = new Map();
  }

  /** Inserts the gathered rows. */
  insert(): void {
    this.places += this.#rows.stores;
    this.#rows.drain(this.#insertRows);
  }

  /** A number that is taken is left as it is, any other reason to skip a row is an error. */
  #insertRows = (rows: Rows): void => {
    let done = 0;
    for (const { size, sql } of inserts) {
      for (; rows.count - done >= size; done += size) {
        const values = rows.isFull ? rows.values : rows.values.slice(done * 3, (done + size) * 3);
        const { changes } = this.#statements.get(sql).run(...values);
        if (changes !== size) this.#findCollided(rows, done, size);
      }
    }
  };

  /** Gathers a row, or inserts it at once if it would make a statement of many rows hold too much. */
  #append(storeId: string, clock: number, data: Uint8Array, at: number): void {
    if (data.byteLength <= LARGE_BYTES) {
      this.#rows.add(storeId, clock, data, at, this.#insertRows);
      if (this.#rows.isFull) this.insert();
      return;
    }
    this.insert();
    const sql = 'INSERT OR IGNORE INTO patches (data, store_id, clock) SELECT ?, ?, ? WHERE ?';
    if (this.#statements.write(sql, data, storeId, clock) === 1) return;
    if (!isStored(this.#statements, storeId, clock, data)) this.collided.push(at);
  }

  /** Some numbers were taken: by the same bytes (then all is well) or by others (then a patch is lost). */
  #findCollided({ values, entries }: Rows, first: number, count: number): void {
    for (let row = first; row < first + count; row++) {
      const [storeId, clock, data] = values.slice(row * 3, row * 3 + 3) as [string, number, Uint8Array];
      if (!isStored(this.#statements, storeId, clock, data)) this.collided.push(entries[row] ?? 0);
    }
  }

  /**
   * Stores a patch under its number, or the next free one, unless the same bytes are there on the way: they can't be told
   * from this very patch, kept there when it was called before (a caller that has not heard of the outcome calls again).
   * Whoever writes the same bytes twice and means two patches loses one where numbers meet already: see `isStored`.
   */
  #keep(storeId: string, clock: number, data: Uint8Array, at: number): void {
    let numbers = this.#numbers.get(storeId);
    if (numbers === undefined) {
      this.insert(); // rows of this store may be among those gathered
      numbers = new TakenNumbers(this.#statements, storeId);
      this.#numbers.set(storeId, numbers);
    }
    if (clock > numbers.highest) {
      numbers.highest = clock;
      this.#append(storeId, clock, data, at);
      return;
    }
    this.insert();
    const free = numbers.firstFree(clock);
    if (!numbers.hold(clock, data)) this.#append(storeId, free, data, at);
    numbers.highest = Math.max(numbers.highest, free);
  }
}
