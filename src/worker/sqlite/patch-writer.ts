/** Writes patches: many rows a statement, and what becomes of numbers that are taken. */
import { LARGE_BYTES, type Statements } from './statements.ts';
import { isStored, TakenNumbers } from './taken-numbers.ts';

/** Binding costs less than running, up to some 32 rows a statement; longer ones are slower again (8 to 128 measured). */
const ROWS_A_STATEMENT = 32;
/**
 * INSERTs of so many rows, where a number that is taken is left as it is; what is left over goes in smaller ones.
 * Faster by a twentieth than ON CONFLICT (store_id, clock) DO NOTHING.
 */
const inserts = [ROWS_A_STATEMENT, 8, 1].map((size) => {
  const values = Array(size).fill('(?, ?, ?)').join(', ');
  return { size, sql: `INSERT OR IGNORE INTO patches (store_id, clock, data) VALUES ${values}` };
});

interface Row {
  storeId: string;
  clock: number;
  data: Uint8Array;
  entry: number;
}

/** Works within one transaction at a time; `clear` ends it. */
export class PatchWriter {
  readonly #statements: Statements;
  /** Those that are gathered for the next INSERTs, by store: one that had any keeps its place. */
  #rows = new Map<string, Row[]>();
  /** Entries of patches that are lost, because their number is taken by other bytes. */
  collided: number[] = [];
  /** The pages of the index where rows were inserted, which the commit writes. */
  pages = 0;
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
    this.#append({ storeId, clock, data, entry });
  }

  /** Told when patches of a store are deleted. */
  pruned(storeId: string): void {
    this.#numbers.delete(storeId);
  }

  clear(): void {
    this.pages = 0;
    if (this.#rows.size > 0) this.#rows = new Map();
    if (this.collided.length > 0) this.collided = [];
    if (this.#numbers.size > 0) this.#numbers = new Map();
  }

  /**
   * Inserts the gathered rows, store after store: each store has its own part of the index, and going from part to part for each row
   * costs twice as much once there are a thousand stores (the benchmark's `design-stores`).
   */
  insert(): void {
    const gathered = this.#rows;
    if (gathered.size === 0) return;
    this.#rows = new Map();
    this.pages += gathered.size;
    this.#insertRows([...gathered.keys()].sort().flatMap((storeId) => gathered.get(storeId) ?? []));
  }

  /** A number that is taken is left as it is, any other reason to skip a row is an error. */
  #insertRows(rows: readonly Row[]): void {
    let done = 0;
    for (const { size, sql } of inserts) {
      for (; rows.length - done >= size; done += size) {
        const those = rows.slice(done, done + size);
        const values: (string | number | Uint8Array)[] = [];
        for (const { storeId, clock, data } of those) values.push(storeId, clock, data);
        if (this.#statements.run(sql, ...values) === size) continue;
        for (const row of those) this.#noteCollision(row);
      }
    }
  }

  /** Gathers a row, or inserts it at once if it would make a statement of many rows hold too much. */
  #append(row: Row): void {
    const { storeId, clock, data } = row;
    if (data.byteLength <= LARGE_BYTES) {
      const rows = this.#rows.get(storeId) ?? [];
      if (rows.length === 0) this.#rows.set(storeId, rows);
      if (rows.push(row) < ROWS_A_STATEMENT) return;
      this.#insertRows(rows);
      rows.length = 0;
      return;
    }
    this.insert();
    const sql = 'INSERT OR IGNORE INTO patches (data, store_id, clock) SELECT ?, ?, ? WHERE ?';
    if (this.#statements.write(sql, data, storeId, clock) === 0) this.#noteCollision(row);
  }

  /** This number may be taken: by the same bytes (then all is well) or by others (then the patch is lost). */
  #noteCollision({ storeId, clock, data, entry }: Row): void {
    if (!isStored(this.#statements, storeId, clock, data)) this.collided.push(entry);
  }

  /**
   * Stores a patch under its number, or the next free one, unless the same bytes are there on the way: they can't be told
   * from this very patch, kept there when it was called before (a caller that has not heard of the outcome calls again).
   * Whoever writes the same bytes twice and means two patches loses one where numbers meet already: see `isStored`.
   */
  #keep(storeId: string, clock: number, data: Uint8Array, entry: number): void {
    let numbers = this.#numbers.get(storeId);
    if (numbers === undefined) {
      this.insert(); // rows of this store may be among those gathered
      numbers = new TakenNumbers(this.#statements, storeId);
      this.#numbers.set(storeId, numbers);
    }
    if (clock > numbers.highest) {
      numbers.highest = clock;
      this.#append({ storeId, clock, data, entry });
      return;
    }
    this.insert();
    const free = numbers.firstFree(clock);
    if (!numbers.hold(clock, data)) this.#append({ storeId, clock: free, data, entry });
    numbers.highest = Math.max(numbers.highest, free);
  }
}
