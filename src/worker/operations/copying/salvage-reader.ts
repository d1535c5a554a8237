/**
 * Reads what can be read of a damaged database file. A damaged page costs the rows that lie on it: which rows there are is found
 * out in the tables, from both of their ends, and in their indexes; each row is read by itself. Slow, and so used for this alone.
 */
import type { SQLInputValue } from 'node:sqlite';
import { toEngineError } from '../../sqlite/errors.ts';
import { firstRow, open } from '../../sqlite/node-sqlite.ts';
import { hasRecords } from '../../sqlite/schema.ts';
import type { RowsPrint, StoreSize } from './ends.ts';
import { forms, listing, READ_ALIKE, ROWS_FROM_START, type Row, RowReader, type Table, tableOf } from './row-reader.ts';

const NUMBERS_A_READ = 4096;
/** As REAL: a damaged file may hold numbers that JavaScript does not. */
const ROW = 'CAST(rowid AS REAL)';
/**
 * Row numbers that are tried one by one where nothing says which there are, behind and before those that could be read: a second or
 * so for each end of a table.
 */
const MOST_TRIED = 100_000;

export class SalvageReader extends RowReader {
  /** Which rows were found, by their numbers. */
  readonly #found = open(':memory:');
  /** Numbers of the stores by the bytes by which the file knows them, from 0 on, and by their names. */
  readonly #numbersOfIds = new Map<string, number>();
  readonly #numbers = new Map<string, number>();
  /** Rows that no provider writes, or whose bytes can't be read; and how many are not found by the numbers that they had. */
  readonly #leftOut = new Set<string>();
  #missing = 0;

  get leftOut(): number {
    return this.#missing + this.#leftOut.size;
  }

  // ---- what is there ---------------------------------------------------------------------------------

  async stores(): Promise<Map<string, StoreSize>> {
    this.#found.exec(
      'CREATE TABLE found (kind TEXT, store INTEGER, name INTEGER, row INTEGER, bytes INTEGER, PRIMARY KEY (store, kind, name)) WITHOUT ROWID; ' +
        'CREATE TABLE seen (row PRIMARY KEY) WITHOUT ROWID',
    );
    for (const table of Object.values(tableOf)) {
      if (table !== 'sds_records' || hasRecords(this.statements.database)) await this.#search(table);
    }
    const counts = this.#found.prepare(
      "SELECT store, total(kind = 'patches') AS patches, total(kind = 'sds_records') AS records, total(bytes) AS bytes " +
        'FROM found GROUP BY store',
    );
    const names = Array.from(this.#numbersOfIds.keys(), (id) => this.textOf(Buffer.from(id, 'hex')));
    const sizes = new Map<string, StoreSize>();
    for (const { store, patches, records, bytes } of counts.all()) {
      const name = names[Number(store)] as string; // each of these has one
      const size: StoreSize = { patches: Number(patches), records: Number(records), bytes: Number(bytes) };
      if (sizes.has(name)) size.trouble = READ_ALIKE;
      sizes.set(name, size);
      this.#numbers.set(name, Number(store));
    }
    return sizes;
  }

  override async valueTotals(): Promise<RowsPrint> {
    await this.#search('blobs');
    return super.valueTotals();
  }

  /** Notes the rows of a table. Of two with one key, which a damaged index may have let in, that which a provider would have. */
  async #search(table: Table): Promise<void> {
    const { name, usual } = forms[table];
    const id = table === 'blobs' ? "x''" : 'CAST(store_id AS BLOB)';
    const head =
      `SELECT ${id} AS id, CASE WHEN ${usual} THEN ${name} END AS name, length(data) AS bytes, ${usual} AS usual ` +
      `FROM ${table} NOT INDEXED WHERE rowid = ?`;
    const note = this.#found.prepare(
      'INSERT INTO found VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET row = excluded.row, bytes = excluded.bytes ' +
        "WHERE (kind = 'patches') = (excluded.row < row)",
    );
    this.#found.exec('DELETE FROM seen');
    const isNew = this.#found.prepare('INSERT OR IGNORE INTO seen VALUES (?)');
    let [numbers, missing] = [0, 0];
    const search = async (pieces: Generator<number[], boolean>) => {
      for (let next = pieces.next(); ; next = pieces.next()) {
        if (next.done) return next.value;
        this.#found.exec('BEGIN');
        for (const number of next.value) {
          if (isNew.run(number).changes === 0) continue;
          numbers++;
          // it may not be found either where it was seen, in a damaged table
          const [row] = this.#try(head, number) ?? [];
          if (row === undefined) missing++;
          else if (row.usual !== 1) this.#leftOut.add(`${table} ${number}`);
          else note.run(table, this.#storeOf(table, row.id), row.name as SQLInputValue, number, Number(row.bytes));
        }
        this.#found.exec('COMMIT');
        await this.pause();
      }
    };
    const isIndexWhole = await search(this.#numbersInIndex(table));
    const named = numbers;
    const isWhole = await search(this.#numbersIn(table, isIndexWhole));
    // a row whose number is damaged, in the table or in the index, has two: an index that could be read says how many rows there were
    this.#missing += isIndexWhole ? Math.max(0, named - (numbers - missing)) : Math.max(missing, isWhole ? 0 : 1);
  }

  #storeOf(table: Table, id: unknown): number {
    if (table === 'blobs') return 0;
    const key = Buffer.from(id as Uint8Array).toString('hex');
    const number = this.#numbersOfIds.get(key) ?? this.#numbersOfIds.size;
    this.#numbersOfIds.set(key, number);
    return number;
  }

  /** Returns whether the index could be read to its end: it leads to rows past which the table leads where one page lies in the place of another. */
  *#numbersInIndex(table: Table): Generator<number[], boolean> {
    // the order makes it read the index alone
    const indexed =
      `SELECT json_group_array(row) AS rows FROM (SELECT rowid AS row FROM ${table} ` +
      `ORDER BY ${forms[table].key} LIMIT ${ROWS_FROM_START} OFFSET ?)`;
    for (let at = 0; ; at += ROWS_FROM_START) {
      const [list] = this.#try(indexed, at) ?? [];
      if (list === undefined) return false;
      const numbers = JSON.parse(String(list.rows)) as number[];
      for (let i = 0; i < numbers.length; i += NUMBERS_A_READ) yield numbers.slice(i, i + NUMBERS_A_READ);
      if (numbers.length < ROWS_FROM_START) return true;
    }
  }

  /**
   * The numbers of the rows in a table: up to the first page that can't be read, down to the last one, and of those in between, if the
   * index does not say which there are, those that are found by trying. Returns whether these are all.
   */
  *#numbersIn(table: Table, isIndexWhole: boolean): Generator<number[], boolean> {
    const up = `SELECT ${ROW} AS row FROM ${table} NOT INDEXED WHERE rowid >= ? ORDER BY rowid LIMIT ?`;
    const low = yield* this.#walk(up, Number.MIN_SAFE_INTEGER, (row, before) => row > before);
    if (low === undefined) return true;
    const down = `SELECT ${ROW} AS row FROM ${table} NOT INDEXED WHERE rowid <= ? ORDER BY rowid DESC LIMIT ?`;
    const high = yield* this.#walk(down, Number.MAX_SAFE_INTEGER, (row, before) => row < before && row > low);
    if (isIndexWhole) return true;
    const isAnyFromAbove = high !== Number.MAX_SAFE_INTEGER;
    if (low === Number.MIN_SAFE_INTEGER && !isAnyFromAbove && this.#lacksRoot(table)) return false;
    const [first, last] = [Math.max(low + 1, 1), (high ?? low) - 1];
    const end = Math.min(last, first + MOST_TRIED);
    const one = `SELECT rowid FROM ${table} NOT INDEXED WHERE rowid = ?`;
    for (const [from, to] of [
      [first, end],
      [isAnyFromAbove ? Math.max(end + 1, last - MOST_TRIED) : last + 1, last],
    ] as const) {
      for (const numbers of rangesOf(from, to)) yield numbers.filter((number) => this.#try(one, number)?.length === 1);
    }
    return false;
  }

  /** Whether the page that leads to all rows lies behind the end of a file that was cut. */
  #lacksRoot(table: Table): boolean {
    const sql =
      "SELECT rootpage > page_count AS lacks FROM sqlite_schema, pragma_page_count WHERE type = 'table' AND name = ?";
    return this.#try(sql, table)?.[0]?.lacks === 1;
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
    try {
      return this.statements.get(sql).all(...values);
    } catch (error) {
      if (toEngineError(error).code !== 'database-corrupt') throw error;
      return undefined;
    }
  }

  protected override list(table: Table, store: string, after: string, most: number): Row | undefined {
    const position = table === 'patches' ? 'name' : 'row';
    const number = table === 'blobs' ? 0 : (this.#numbers.get(store) ?? -1);
    const list = listing('row', 'bytes + length(name)', position, 'found WHERE kind = ? AND store = ?');
    return firstRow(this.#found.prepare(list), table, number, after, most);
  }

  protected override read(table: Table, columns: string, rows: string): Row[] {
    const one = `SELECT ${columns} FROM ${table} NOT INDEXED WHERE rowid = ?`;
    return rows.split(',').flatMap((row) => {
      const found = this.#try(one, Number(row)) ?? [];
      if (found.length === 0) this.#leftOut.add(`${table} ${row}`);
      return found;
    });
  }
}

function* rangesOf(first: number, last: number): Generator<number[]> {
  for (let number = first; number <= last; number += NUMBERS_A_READ) {
    yield Array.from({ length: Math.min(NUMBERS_A_READ, last - number + 1) }, (_, i) => number + i);
  }
}
