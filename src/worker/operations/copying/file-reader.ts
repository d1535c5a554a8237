/** Reads stores and values of a database file, in pieces that fit into memory. Rows that no provider writes are passed over. */
import type { DatabaseSync as Database, SQLInputValue, StatementSync } from 'node:sqlite';
import { firstRow } from '../../sqlite/node-sqlite.ts';
import { hasRecords, isUsual, isUsualRecord, isUsualValue } from '../../sqlite/schema.ts';
import { textOf } from '../../sqlite/text.ts';
import { OperationError } from '../failure.ts';
import { digestOf, RowsDigest, sha256, ValuesDigest } from './digest.ts';
import type {
  Patch,
  Reader,
  RowsPrint,
  Series,
  StoredRecord,
  StorePrint,
  StoreSize,
  Value,
  ValuePrint,
  ValueTotals,
} from './ends.ts';
import { BYTES_A_READ, piecesOf } from './pieces.ts';

const ROWS_A_READ = 256;
const HEADS_A_READ = 4096;
/** What keeps a store from being copied by its name. */
export const READ_ALIKE = 'is no proper text in this file, and two stores are read as that';

type Row = Record<string, unknown>;

export class FileReader implements Reader {
  readonly place: string;
  readonly #database: Database;
  readonly #statements = new Map<string, StatementSync>();
  readonly #pause: () => Promise<void>;
  /** Names of the stores, and the bytes by which the file knows them. */
  readonly #ids = new Map<string, Uint8Array>();
  readonly #hasRecords: boolean;

  /** @param pause - called now and then in what takes long */
  constructor(database: Database, place: string, pause: () => Promise<void>) {
    this.#database = database;
    this.place = place;
    this.#pause = pause;
    this.#hasRecords = hasRecords(database);
  }

  /** Each is asked for every store. */
  #prepare(sql: string): StatementSync {
    const statement = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #textOf(bytes: unknown): string {
    return textOf({ database: this.#database }, bytes);
  }

  #all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#prepare(sql).all(...values);
  }

  async stores(): Promise<Map<string, StoreSize>> {
    const sizes = new Map<string, StoreSize>();
    const countIn = (table: string, isUsualRow: string) =>
      this.#all(
        'SELECT CAST(store_id AS BLOB) AS id, count(*) AS rows, total(length(data)) AS bytes, ' +
          `sum(NOT (${isUsualRow})) AS odd FROM ${table} GROUP BY store_id`,
      );
    for (const row of countIn('patches', isUsual)) this.#addTo(sizes, row, { patches: Number(row.rows) });
    for (const row of countIn('snapshots', isUsual)) this.#addTo(sizes, row);
    const records = this.#hasRecords ? countIn('sds_records', isUsualRecord) : [];
    for (const row of records) this.#addTo(sizes, row, { records: Number(row.rows) });
    return sizes;
  }

  #addTo(sizes: Map<string, StoreSize>, { id, bytes, odd }: Row, found: Partial<StoreSize> = {}): void {
    const name = this.#textOf(id);
    const size = sizes.get(name) ?? { patches: 0, records: 0, bytes: 0 };
    sizes.set(name, Object.assign(size, found));
    size.bytes += Number(bytes);
    if (odd !== 0)
      size.trouble = "has rows that no provider writes; 'verify' says which, and salvaging leaves them out";
    if (!(id instanceof Uint8Array)) return;
    const known = this.#ids.get(name) ?? id;
    this.#ids.set(name, known);
    if (Buffer.compare(known, id) !== 0) size.trouble = READ_ALIKE;
  }

  async valueTotals(): Promise<ValueTotals> {
    const digest = new ValuesDigest();
    const sql =
      `SELECT rowid AS row, CAST(hash AS BLOB) AS hash, ${isUsualValue} AS usual, CAST(ref_count AS TEXT) AS refs, ` +
      `length(data) AS bytes FROM blobs WHERE rowid > ? ORDER BY rowid LIMIT ${HEADS_A_READ}`;
    for (let after = Number.MIN_SAFE_INTEGER; ; ) {
      const rows = this.#all(sql, after);
      for (const { hash, usual, refs, bytes } of rows) {
        if (usual === 1) digest.add(this.#textOf(hash), Number(refs), Number(bytes));
        else {
          const detail = "there are values that no provider writes; 'verify' says which, and salvaging leaves them out";
          throw new OperationError('database-corrupt', this.place, detail);
        }
      }
      const last = rows.at(-1)?.row;
      if (typeof last !== 'number' || last <= after) return digest.end();
      after = last;
      await this.#pause();
    }
  }

  async snapshot(store: string): Promise<Patch | undefined> {
    const sql = `SELECT clock, data FROM snapshots WHERE store_id = CAST(? AS TEXT) AND ${isUsual}`;
    return this.#all(sql, this.#ids.get(store) ?? store)[0] as Patch | undefined;
  }

  *patches(store: string): Generator<Patch[]> {
    const id = this.#ids.get(store) ?? store;
    const those = `FROM patches WHERE store_id = CAST(? AS TEXT) AND ${isUsual} AND clock`;
    const heads = `SELECT clock, length(data) AS bytes ${those} > ? ORDER BY clock LIMIT ${ROWS_A_READ}`;
    const read = `SELECT clock, data ${those} BETWEEN ? AND ? ORDER BY clock`;
    for (let after = Number.MIN_SAFE_INTEGER - 1; ; ) {
      const rows = this.#all(heads, id, after);
      for (const piece of piecesOf(rows, ({ bytes }) => Number(bytes))) {
        yield this.#all(read, id, Number(piece[0]?.clock), Number(piece.at(-1)?.clock)) as unknown as Patch[];
      }
      const last = rows.at(-1)?.clock;
      if (typeof last !== 'number' || last <= after) return;
      after = last;
    }
  }

  *records(store: string): Generator<StoredRecord[]> {
    if (!this.#hasRecords) return;
    const those = `FROM sds_records WHERE ${isUsualRecord} AND`;
    // their numbers in one text, by which the whole order takes a few bytes a record; ordered as a subquery with a LIMIT is
    const order =
      `SELECT group_concat(row) AS rows FROM (SELECT rowid AS row ${those} store_id = CAST(? AS TEXT) ` +
      'ORDER BY rowid LIMIT -1)';
    const read = `SELECT CAST(key AS BLOB) AS key, data ${those} rowid = CAST(? AS INTEGER)`;
    const [found] = this.#all(order, this.#ids.get(store) ?? store);
    if (typeof found?.rows !== 'string') return;
    let piece: StoredRecord[] = [];
    let bytes = 0;
    for (const row of found.rows.split(',')) {
      for (const { key, data } of this.#all(read, row) as { key: Uint8Array; data: Uint8Array }[]) {
        piece.push({ key: this.#textOf(key), data });
        bytes += data.byteLength;
      }
      if (bytes < BYTES_A_READ && piece.length < ROWS_A_READ) continue;
      yield piece;
      [piece, bytes] = [[], 0];
    }
    if (piece.length > 0) yield piece;
  }

  *values(): Generator<Value[]> {
    const those = `FROM blobs WHERE ${isUsualValue} AND rowid`;
    const heads = `SELECT rowid AS row, length(data) AS bytes ${those} > ? ORDER BY rowid LIMIT ${ROWS_A_READ}`;
    const read = `SELECT CAST(hash AS BLOB) AS hash, ref_count, data ${those} BETWEEN ? AND ?`;
    for (let after = Number.MIN_SAFE_INTEGER; ; ) {
      const rows = this.#all(heads, after);
      for (const piece of piecesOf(rows, ({ bytes }) => Number(bytes))) {
        const found = this.#all(read, Number(piece[0]?.row), Number(piece.at(-1)?.row));
        yield found.map((row) => ({
          hash: this.#textOf(row.hash),
          data: row.data as Uint8Array,
          print: valuePrintOf(row),
        }));
      }
      const last = rows.at(-1)?.row;
      if (typeof last !== 'number' || last <= after) return;
      after = last;
    }
  }

  async prints(stores: ReadonlyMap<string, unknown>): Promise<Map<string, StorePrint>> {
    const prints = new Map<string, StorePrint>();
    for (const store of stores.keys()) prints.set(store, await printOf(this, store, this.#pause));
    return prints;
  }

  async valuePrints(hashes: readonly string[]): Promise<Map<string, ValuePrint>> {
    const read = this.#prepare('SELECT ref_count, data FROM blobs WHERE hash = ?');
    const prints = new Map<string, ValuePrint>();
    for (const hash of hashes) {
      const row = firstRow(read, hash);
      if (row?.data instanceof Uint8Array) prints.set(hash, valuePrintOf(row));
    }
    return prints;
  }
}

export async function printOf(
  reader: Pick<Reader, 'patches' | 'records' | 'snapshot'>,
  store: string,
  pause: () => Promise<void>,
): Promise<StorePrint> {
  const patches = await rowsPrintOf(reader.patches(store), ({ clock }) => clock, pause);
  const records = await rowsPrintOf(reader.records(store), ({ key }) => sha256(key), pause);
  const snapshot = await reader.snapshot(store);
  return { patches, records, snapshot: snapshot && snapshotPrintOf(snapshot) };
}

async function rowsPrintOf<T extends { data: Uint8Array }>(
  pieces: Series<T[]>,
  nameOf: (row: T) => number | string,
  pause: () => Promise<void>,
): Promise<RowsPrint> {
  const digest = new RowsDigest();
  let [count, bytes] = [0, 0];
  for await (const rows of pieces) {
    for (const row of rows) {
      digest.add(nameOf(row), row.data);
      count++;
      bytes += row.data.byteLength;
    }
    await pause();
  }
  return { count, bytes, digest: digest.end() };
}

function snapshotPrintOf({ clock, data }: Patch): StorePrint['snapshot'] {
  return { clock, bytes: data.byteLength, digest: digestOf(data) };
}

export function valuePrintOf({ ref_count, data }: Row): ValuePrint {
  const bytes = data as Uint8Array;
  return { refCount: ref_count as number, bytes: bytes.byteLength, digest: digestOf(bytes) };
}
