/**
 * Reads what can be read of a damaged database file. A damaged page costs the rows that lie on it: which rows there are is found
 * out in the tables alone, from both of their ends, and each row is read by itself. Slow, and so used for this alone.
 */
import type { DatabaseSync as Database, SQLInputValue, StatementSync } from 'node:sqlite';
import { toEngineError } from '../../sqlite/errors.ts';
import { open } from '../../sqlite/node-sqlite.ts';
import { hasRecords, isUsual, isUsualRecord, isUsualValue } from '../../sqlite/schema.ts';
import { textOf } from '../../sqlite/text.ts';
import { ValuesDigest } from './digest.ts';
import type { Patch, Reader, StoredRecord, StorePrint, StoreSize, Value, ValuePrint, ValueTotals } from './ends.ts';
import { printOf, READ_ALIKE, valuePrintOf } from './file-reader.ts';
import { BYTES_A_READ } from './pieces.ts';

const NUMBERS_A_READ = 4096;
/** Of what has to be gone through from its start each time: fewer take longer, more do not fit into memory. */
const NUMBERS_A_LIST = 250_000;
/** As REAL: a damaged file may hold numbers that JavaScript does not. */
const ROW = 'CAST(rowid AS REAL)';
/** Row numbers that are tried one by one next to rows that could be read, where nothing says which there are: a second or so. */
const MOST_TRIED = 100_000;

type Row = Record<string, unknown>;
type Table = 'patches' | 'snapshots' | 'sds_records' | 'blobs';

interface Form {
  /** The columns of its index. */
  key: string;
  usual: string;
  id: string;
  /** What tells the rows of one store apart. */
  name: string;
  /** As it is copied. */
  columns: string;
}

const forms: Record<Table, Form> = {
  patches: {
    key: 'store_id, clock',
    usual: isUsual,
    id: 'CAST(store_id AS BLOB)',
    name: 'clock',
    columns: 'clock, data',
  },
  snapshots: { key: 'store_id', usual: isUsual, id: 'CAST(store_id AS BLOB)', name: '0', columns: 'clock, data' },
  sds_records: {
    key: 'store_id, key',
    usual: isUsualRecord,
    id: 'CAST(store_id AS BLOB)',
    name: 'CAST(key AS BLOB)',
    columns: 'CAST(key AS BLOB) AS key, data',
  },
  blobs: {
    key: 'hash',
    usual: isUsualValue,
    id: "x''",
    name: 'CAST(hash AS BLOB)',
    columns: 'CAST(hash AS BLOB) AS hash, ref_count, data',
  },
};

export class SalvageReader implements Reader {
  readonly place: string;
  readonly #database: Database;
  readonly #pause: () => Promise<void>;
  readonly #statements = new Map<string, StatementSync>();
  /** Which rows were found, by their numbers. */
  readonly #found = open(':memory:');
  /** Names of the stores by the bytes by which the file knows them, and their numbers here. */
  readonly #stores = new Map<string, { name: string; number: number }>();
  readonly #numbers = new Map<string, number>();
  readonly #leftOut = new Set<string>();

  /** @param pause - called now and then in what takes long */
  constructor(database: Database, place: string, pause: () => Promise<void>) {
    this.#database = database;
    this.place = place;
    this.#pause = pause;
    this.#found.exec(
      'CREATE TABLE found (kind TEXT, store INTEGER, name, row INTEGER, bytes INTEGER, PRIMARY KEY (kind, store, name)) WITHOUT ROWID',
    );
  }

  get leftOut(): number {
    return this.#leftOut.size;
  }

  close(): void {
    this.#found.close();
  }

  // ---- what is there ---------------------------------------------------------------------------------

  async stores(): Promise<Map<string, StoreSize>> {
    for (const table of ['patches', 'snapshots'] as const) await this.#search(table);
    if (hasRecords(this.#database)) await this.#search('sds_records');
    const counts = this.#found.prepare(
      "SELECT store, total(kind = 'patches') AS patches, total(kind = 'sds_records') AS records, total(bytes) AS bytes " +
        'FROM found GROUP BY store',
    );
    const names = new Map(Array.from(this.#stores.values(), ({ name, number }) => [number, name]));
    const sizes = new Map<string, StoreSize>();
    for (const { store, patches, records, bytes } of counts.all()) {
      const name = names.get(Number(store)) as string; // each of these has one
      const size: StoreSize = { patches: Number(patches), records: Number(records), bytes: Number(bytes) };
      if (sizes.has(name)) size.trouble = READ_ALIKE;
      sizes.set(name, size);
      this.#numbers.set(name, Number(store));
    }
    return sizes;
  }

  async valueTotals(): Promise<ValueTotals> {
    await this.#search('blobs');
    const digest = new ValuesDigest();
    for (const values of this.values()) {
      for (const { hash, print } of values) digest.add(hash, print.refCount, print.bytes);
      await this.#pause();
    }
    return digest.end();
  }

  /** Notes the rows of a table. Of two with one key, which a damaged index may have let in, that which a provider would have. */
  async #search(table: Table): Promise<void> {
    const { id, name, usual } = forms[table];
    const head =
      `SELECT ${id} AS id, CASE WHEN ${usual} THEN ${name} END AS name, length(data) AS bytes, ${usual} AS usual ` +
      `FROM ${table} NOT INDEXED WHERE rowid = ?`;
    const note = this.#found.prepare(
      'INSERT INTO found VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET row = excluded.row, bytes = excluded.bytes ' +
        "WHERE (kind = 'patches') = (excluded.row < row)",
    );
    for (const numbers of this.#numbersIn(table)) {
      this.#found.exec('BEGIN');
      for (const number of numbers) {
        const row = this.#read(table, head, number);
        if (row === undefined) continue;
        if (row.usual === 1) {
          const store = table === 'blobs' ? 0 : this.#storeOf(row.id as Uint8Array);
          note.run(table, store, row.name as SQLInputValue, number, Number(row.bytes));
        } else this.#leftOut.add(`${table} ${number}`);
      }
      this.#found.exec('COMMIT');
      await this.#pause();
    }
  }

  #storeOf(id: Uint8Array): number {
    const key = Buffer.from(id).toString('hex');
    const name = textOf({ database: this.#database }, id);
    const store = this.#stores.get(key) ?? { name, number: this.#stores.size + 1 };
    this.#stores.set(key, store);
    return store.number;
  }

  /** The numbers of the rows in a table: up to the first page that can't be read, down to the last one, and those in between. */
  *#numbersIn(table: Table): Generator<number[]> {
    const up = `SELECT ${ROW} AS row FROM ${table} NOT INDEXED WHERE rowid >= ? ORDER BY rowid LIMIT ?`;
    const low = yield* this.#walk(up, Number.MIN_SAFE_INTEGER, (row, before) => row > before);
    if (low === undefined) return;
    const down = `SELECT ${ROW} AS row FROM ${table} NOT INDEXED WHERE rowid <= ? ORDER BY rowid DESC LIMIT ?`;
    const high = yield* this.#walk(down, Number.MAX_SAFE_INTEGER, (row, before) => row < before && row > low);
    // the order makes it read the index alone
    const between = listed(`${table} WHERE +rowid > ? AND +rowid < ?`, 'rowid AS row', forms[table].key);
    for (let at = 0; ; at += NUMBERS_A_LIST) {
      const list = this.#try(between, low, high ?? low, at);
      if (list === undefined) break;
      const numbers = numbersOf(list);
      for (let i = 0; i < numbers.length; i += NUMBERS_A_READ) yield numbers.slice(i, i + NUMBERS_A_READ);
      if (numbers.length < NUMBERS_A_LIST) return;
    }
    this.#leftOut.add(table); // nobody knows how many
    const [first, last] = [Math.max(low + 1, 1), (high ?? low) - 1];
    const end = Math.min(last, first + MOST_TRIED);
    const one = `SELECT rowid FROM ${table} NOT INDEXED WHERE rowid = ?`;
    for (const [from, to] of [
      [first, end],
      [Math.max(end + 1, last - MOST_TRIED), last],
    ] as const) {
      for (const numbers of rangesOf(from, to)) yield numbers.filter((number) => this.#try(one, number)?.length === 1);
    }
  }

  /**
   * Numbers in their order, as far as they can be read; returns one of the last, or `undefined` if these are all. A damaged row
   * may bear any number, also that of another row: it goes on from one that was seen between two that fit, if it finds that one
   * and the next one again.
   */
  *#walk(
    sql: string,
    from: number,
    follows: (row: number, before: number) => boolean,
  ): Generator<number[], number | undefined> {
    let seen: number[] = [];
    for (let count = NUMBERS_A_READ; count >= 1; ) {
      const numbers = this.#try(sql, seen[0] ?? from, count + 2)?.map(({ row }) => Number(row));
      const isFoundAgain = seen.every((row, i) => numbers?.[i] === row);
      if (!isFoundAgain || !numbers?.every((row, i) => follows(row, numbers[i - 1] ?? from))) {
        count >>= 1;
        continue;
      }
      if (numbers.length < count + 2) {
        yield numbers;
        return undefined;
      }
      yield numbers.slice(0, -1);
      seen = numbers.slice(-2);
    }
    return seen[0] ?? from;
  }

  // ---- reading ---------------------------------------------------------------------------------------

  /** The rows of a query; `undefined` if a page of the file that it needs can't be read. */
  #try(sql: string, ...values: SQLInputValue[]): Row[] | undefined {
    const statement = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    try {
      return statement.all(...values) as Row[];
    } catch (error) {
      if (toEngineError(error).code !== 'database-corrupt') throw error;
      return undefined;
    }
  }

  #read(table: Table, sql: string, number: number): Row | undefined {
    // it may not be found either where it was seen, in a damaged table
    const row = this.#try(sql, number)?.[0];
    if (row === undefined) this.#leftOut.add(`${table} ${number}`);
    return row;
  }

  /** What was found of a store in a table, some at a time; patches by their numbers, all else in the order in which it was made. */
  *#rows(table: Table, store: number): Generator<Row[]> {
    const order = table === 'patches' ? 'name' : 'row';
    const list = this.#found.prepare(listed('found WHERE kind = ? AND store = ?', 'row', order));
    const sql = `SELECT ${forms[table].columns} FROM ${table} NOT INDEXED WHERE rowid = ?`;
    let piece: Row[] = [];
    let bytes = 0;
    for (let at = 0; ; at += NUMBERS_A_LIST) {
      const numbers = numbersOf(list.all(table, store, at));
      for (const number of numbers) {
        const row = this.#read(table, sql, number);
        if (row === undefined) continue;
        piece.push(row);
        bytes += (row.data as Uint8Array).byteLength;
        if (bytes < BYTES_A_READ && piece.length < NUMBERS_A_READ) continue;
        yield piece;
        [piece, bytes] = [[], 0];
      }
      if (numbers.length < NUMBERS_A_LIST) break;
    }
    if (piece.length > 0) yield piece;
  }

  #rowsOf(table: Table, store: string): Generator<Row[]> {
    return this.#rows(table, this.#numbers.get(store) ?? -1);
  }

  #textOf(bytes: unknown): string {
    return textOf({ database: this.#database }, bytes);
  }

  async snapshot(store: string): Promise<Patch | undefined> {
    const [rows] = this.#rowsOf('snapshots', store);
    return rows?.[0] as unknown as Patch | undefined;
  }

  patches(store: string): Generator<Patch[]> {
    return this.#rowsOf('patches', store) as unknown as Generator<Patch[]>;
  }

  *records(store: string): Generator<StoredRecord[]> {
    for (const rows of this.#rowsOf('sds_records', store)) {
      yield rows.map(({ key, data }) => ({ key: this.#textOf(key), data: data as Uint8Array }));
    }
  }

  *values(): Generator<Value[]> {
    for (const rows of this.#rows('blobs', 0)) {
      yield rows.map((row) => ({
        hash: this.#textOf(row.hash),
        data: row.data as Uint8Array,
        print: valuePrintOf(row),
      }));
    }
  }

  async prints(stores: ReadonlyMap<string, unknown>): Promise<Map<string, StorePrint>> {
    const prints = new Map<string, StorePrint>();
    for (const store of stores.keys()) prints.set(store, await printOf(this, store, this.#pause));
    return prints;
  }

  /** Only what was copied is asked for these. */
  async valuePrints(): Promise<Map<string, ValuePrint>> {
    return new Map();
  }
}

/** Selects row numbers in one text, by which they take a few bytes each; ordered as a subquery with a LIMIT is. */
function listed(from: string, row: string, order: string): string {
  return (
    'SELECT json_group_array(row) AS rows FROM ' +
    `(SELECT ${row} FROM ${from} ORDER BY ${order} LIMIT ${NUMBERS_A_LIST} OFFSET ?)`
  );
}

function numbersOf([list]: readonly Row[]): number[] {
  return JSON.parse(String(list?.rows)) as number[];
}

function* rangesOf(first: number, last: number): Generator<number[]> {
  for (let number = first; number <= last; number += NUMBERS_A_READ) {
    yield Array.from({ length: Math.min(NUMBERS_A_READ, last - number + 1) }, (_, i) => number + i);
  }
}
