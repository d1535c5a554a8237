/** Which numbers of a store are taken, and by which bytes, for patches that are kept if their number is taken. */
import { EngineError } from '../engine.ts';
import type { Statements } from './statements.ts';

/** Reading a row for its checksum takes as long as so many comparisons with it. */
const MOST_COMPARED = 16;
/** The first bytes of a row that go into its checksum. */
const SUMMED_BYTES = 256;
/** How many rows are read at a time. */
const SUMMED_ROWS = 1000;
const nothing = new Uint8Array(0);

/**
 * Those of one store within one transaction. What was found by one patch is not looked for again by the next one: it would else
 * pass over all that were kept before it, and a transaction of many would take time with the square of their number.
 */
export class TakenNumbers {
  readonly #statements: Statements;
  readonly #storeId: string;
  highest: number;
  /** A stretch of numbers all of which are taken; its end may be taken as well. */
  #from = 0;
  #to = 0;
  /** How many patches were compared with each row of it. */
  #compared = 0;
  /** After that: a checksum of each row of it, as far as they were read. */
  #sums: number[] = [];

  constructor(statements: Statements, storeId: string) {
    this.#statements = statements;
    this.#storeId = storeId;
    // as a text: the synchronous provider stores numbers beyond 2^53, too
    const row = statements.first('SELECT quote(max(clock)) AS highest FROM patches WHERE store_id = ?', storeId);
    this.highest = row?.highest === 'NULL' ? Number.NEGATIVE_INFINITY : Number(row?.highest);
  }

  /** This number, or the next one that is free; the stretch ends with it. */
  firstFree(clock: number): number {
    if (clock < this.#from || clock > this.#to) {
      this.#from = this.#to = clock;
      this.#compared = 0;
      this.#sums = [];
    }
    const at = [this.#storeId, this.#to] as const;
    const taken = this.#statements.first('SELECT 1 FROM patches WHERE store_id = ? AND clock = ?', ...at);
    if (taken !== undefined) {
      const next = this.#statements.first(
        // as a REAL: beyond the largest safe integer, an INTEGER could not be read
        'SELECT CAST(clock + 1 AS REAL) AS free FROM patches AS p WHERE store_id = ? AND clock >= ? AND NOT EXISTS ' +
          '(SELECT 1 FROM patches AS q WHERE q.store_id = p.store_id AND q.clock = p.clock + 1) ORDER BY clock LIMIT 1',
        ...at,
      );
      this.#to = Number(next?.free);
    }
    if (!Number.isSafeInteger(this.#to)) {
      throw new EngineError('invalid-argument', { message: `there is no free number above ${clock}` });
    }
    return this.#to;
  }

  /** Whether these very bytes are stored under this number, or one between it and the free one that was found. */
  hold(clock: number, data: Uint8Array): boolean {
    if (this.#compared++ >= MOST_COMPARED) return this.#isSummed(clock, data);
    const same = this.#statements.first(
      // the length is known without the bytes
      'SELECT 1 FROM patches WHERE store_id = ? AND clock >= ? AND clock < ? AND length(data) = ? AND data = ? LIMIT 1',
      this.#storeId,
      clock,
      this.#to,
      data.byteLength,
      data,
    );
    return same !== undefined;
  }

  #isSummed(clock: number, data: Uint8Array): boolean {
    this.#readSums();
    const sum = sumOf(data.byteLength, data.subarray(0, SUMMED_BYTES));
    const from = this.#from;
    let found = this.#sums.indexOf(sum, clock - from);
    while (found >= 0 && !isStored(this.#statements, this.#storeId, from + found, data)) {
      found = this.#sums.indexOf(sum, found + 1);
    }
    return found >= 0;
  }

  #readSums(): void {
    const unread = this.#statements.get(
      `SELECT length(data) AS length, substr(data, 1, ${SUMMED_BYTES}) AS first FROM patches ` +
        `WHERE store_id = ? AND clock >= ? AND clock < ? ORDER BY clock LIMIT ${SUMMED_ROWS}`,
    );
    for (let read = SUMMED_ROWS; read === SUMMED_ROWS; ) {
      const rows = unread.all(this.#storeId, this.#from + this.#sums.length, this.#to);
      for (const { length, first } of rows) {
        // what is no BLOB was not written by a provider, and equals no bytes
        this.#sums.push(sumOf(Number(length), first instanceof Uint8Array ? first : nothing));
      }
      read = rows.length;
    }
  }
}

/** Tells most patches apart: by their length and first bytes. */
function sumOf(length: number, first: Uint8Array): number {
  let sum = length;
  for (const byte of first) sum = Math.imul(sum ^ byte, 0x01000193);
  return sum;
}

/** Whether these very bytes are stored under this number. */
export function isStored(statements: Statements, storeId: string, clock: number, data: Uint8Array): boolean {
  const row = statements.first('SELECT data FROM patches WHERE store_id = ? AND clock = ?', storeId, clock);
  if (row === undefined) {
    // IGNORE skips rows for any constraint; the schema had no other one when it was checked
    throw new EngineError('schema-mismatch', { message: "a constraint on table 'patches' kept a patch out" });
  }
  const bytes = row.data;
  return bytes instanceof Uint8Array && Buffer.compare(bytes, data) === 0;
}
