/** Reads stores and values of a database file, in pieces that fit into memory: which rows there are is listed before they are read. */
import type { DatabaseSync as Database, SQLInputValue } from 'node:sqlite';
import { BEFORE_ALL, isUsual, isUsualRecord, isUsualValue } from '../../sqlite/schema.ts';
import { Statements } from '../../sqlite/statements.ts';
import { textOf } from '../../sqlite/text.ts';
import { toFailure } from '../failure.ts';
import { addDigest, addRow, digestOf, noRows, noRowsOf } from './digest.ts';
import {
  type Kind,
  kinds,
  type Reader,
  type RowsPrint,
  type StoredRow,
  type StorePrint,
  type StoreSize,
  type Value,
  type ValuePrint,
} from './ends.ts';
import { piecesOf } from './pieces.ts';

/** What is listed at once: who wants to stop waits for its end. */
const ROWS_A_LIST = 20_000;
/** Of what has to be gone through from its start each time: fewer take longer, more do not fit into memory. */
export const ROWS_FROM_START = 250_000;
/** So that no more than 4096 rows are read together. */
const LEAST_BYTES_A_ROW = 1024;
/** What keeps a store from being copied by its name. */
export const READ_ALIKE = 'is no proper text in this file, and two stores are read as that';

export type Row = Record<string, unknown>;
export type Table = 'patches' | 'snapshots' | 'sds_records' | 'blobs';

interface Form {
  /** The columns of its index. */
  key: string;
  /** What tells the rows of one store apart. */
  name: string;
  usual: string;
  /** As it is copied. */
  columns: string;
}

const KEY = 'CAST(key AS BLOB)';
const HASH = 'CAST(hash AS BLOB)';
const VALUE_HEAD = `${HASH} AS hash, ref_count, length(data) AS bytes`;
export const forms: Record<Table, Form> = {
  patches: { key: 'store_id, clock', name: 'clock', usual: isUsual, columns: 'clock AS name, data' },
  snapshots: { key: 'store_id', name: '0', usual: isUsual, columns: 'clock AS name, data' },
  sds_records: { key: 'store_id, key', name: KEY, usual: isUsualRecord, columns: `${KEY} AS name, data` },
  blobs: { key: 'hash', name: HASH, usual: isUsualValue, columns: `${VALUE_HEAD}, data` },
};

export const tableOf = { snapshots: 'snapshots', patches: 'patches', records: 'sds_records' } as const;

/** Lists the rows behind a position in their order, each with what it takes: all in one text, where a row takes a few bytes. */
export function listing(row: string, bytes: string, position: string, where: string): string {
  return (
    "SELECT group_concat(row || ' ' || bytes, ',' ORDER BY position) AS rows, count(*) AS count, CAST(max(position) AS TEXT) AS last " +
    `FROM (SELECT ${row} AS row, ${bytes} AS bytes, ${position} AS position FROM ${where} ` +
    `AND ${position} > CAST(? AS NUMERIC) ORDER BY position LIMIT ?)`
  );
}

/** One by one: all at once would take ten times as much memory as the text. */
function* eachListed(rows: string): Generator<string> {
  for (let [at, end] = [0, 0]; end >= 0; at = end + 1) {
    end = rows.indexOf(',', at);
    yield rows.slice(at, end < 0 ? undefined : end);
  }
}

const sizeOf = (listed: string) => Number(listed.slice(listed.indexOf(' '))) + LEAST_BYTES_A_ROW;
const rowOf = (listed: string) => listed.slice(0, listed.indexOf(' '));

export abstract class RowReader implements Reader {
  readonly label: string;
  protected readonly statements: Statements;
  protected readonly pause: () => Promise<void>;

  /** @param pause - called now and then in what takes long */
  constructor(database: Database, label: string, pause: () => Promise<void>) {
    this.statements = new Statements(database);
    this.label = label;
    this.pause = pause;
  }

  abstract stores(): Promise<Map<string, StoreSize>>;
  /** As `listing`: patches in the order of their numbers, all else in the order in which it was made. Values are of no store. */
  protected abstract list(table: Table, store: string, after: string, most: number): Row | undefined;
  /** Those of the rows with these numbers that can be read, in their order. */
  protected abstract read(table: Table, columns: string, rows: string): Row[];

  /** Those that a query finds; a failure of it names this file. */
  protected query(sql: string, ...values: SQLInputValue[]): Row[] {
    try {
      return this.statements.get(sql).all(...values);
    } catch (error) {
      throw toFailure(error, this.label);
    }
  }

  protected textOf(bytes: unknown): string {
    return textOf(this.statements, bytes);
  }

  *#pieces(table: Table, store: string, columns = forms[table].columns): Generator<Row[]> {
    const most = table === 'sds_records' ? ROWS_FROM_START : ROWS_A_LIST;
    for (let after = BEFORE_ALL; ; ) {
      const list = this.list(table, store, after, most);
      if (typeof list?.rows !== 'string') return;
      for (const rows of piecesOf(eachListed(list.rows), sizeOf))
        yield this.read(table, columns, rows.map(rowOf).join());
      const last = String(list.last);
      // in a damaged table what follows may lie before
      if (Number(list.count) < most || BigInt(last) <= BigInt(after)) return;
      after = last;
    }
  }

  *rows(kind: Kind, stores: readonly string[]): Generator<StoredRow[]> {
    const nameOf = (name: unknown) => (kind === 'records' ? this.textOf(name) : (name as number));
    for (const store of stores) {
      for (const rows of this.#pieces(tableOf[kind], store)) {
        yield rows.map(({ name, data }) => ({ store, name: nameOf(name), data: data as Uint8Array }));
      }
    }
  }

  *values(): Generator<Value[]> {
    for (const rows of this.#pieces('blobs', '')) {
      yield rows.map((row) => ({
        hash: this.textOf(row.hash),
        data: row.data as Uint8Array,
        print: valuePrintOf(row),
      }));
    }
  }

  async valueTotals(): Promise<RowsPrint> {
    const print = noRows();
    for (const rows of this.#pieces('blobs', '', VALUE_HEAD)) {
      for (const { hash, ref_count, bytes } of rows) {
        addDigest(print, this.textOf(hash), Number(bytes), `${ref_count} ${bytes}`);
      }
      await this.pause();
    }
    return print;
  }

  async prints(stores: readonly string[]): Promise<Map<string, StorePrint>> {
    const prints = noRowsOf(stores);
    for (const [store, print] of prints) {
      for (const kind of kinds) {
        for (const rows of this.rows(kind, [store])) {
          for (const row of rows) addRow(print[kind], kind, row);
          await this.pause();
        }
      }
    }
    return prints;
  }

  async valuePrints(hashes: readonly string[]): Promise<Map<string, ValuePrint>> {
    const prints = new Map<string, ValuePrint>();
    for (const hash of hashes) {
      const [row] = this.query('SELECT ref_count, data FROM blobs WHERE hash = ?', hash);
      if (row?.data instanceof Uint8Array) prints.set(hash, valuePrintOf(row));
    }
    return prints;
  }
}

function valuePrintOf({ ref_count, data }: Row): ValuePrint {
  const bytes = data as Uint8Array;
  return { refCount: ref_count as number, bytes: bytes.byteLength, digest: digestOf(bytes) };
}
