/** Reads stores and values of a PostgreSQL database: of one moment, if it is what is copied. */
import { textArray } from '../../postgresql/arrays.ts';
import { readWhole } from '../../postgresql/chunks.ts';
import { fromHex } from '../../postgresql/connection.ts';
import { byStoredName, isLongName, nameOf } from '../../postgresql/names.ts';
import { ALL_ROWS, BEGIN_READING, UNLIMITED } from '../../postgresql/transactions.ts';
import type { CopyConnection } from './copy-connection.ts';
import { addDigest, noRows, noRowsOf, sha256Of, sha256OfText } from './digest.ts';
import type { Kind, Reader, RowsPrint, StoredRow, StorePrint, StoreSize, Value, ValuePrint } from './ends.ts';
import { piecesOf } from './pieces.ts';
import { patchRows, printRows, readRows, recordRows } from './server-rows.ts';

const VALUES_A_READ = 4096;

type Row = (string | null)[];

const tables = { patches: patchRows, records: recordRows };
const kindsInRows = ['patches', 'records'] as const;

/** Of bytes that lie in their row, or in rows of chunks. */
function wholeOf(row: string, chunks: string): { bytes: string; digest: string } {
  const inChunks = (what: string) => `(SELECT ${what} FROM ${chunks} AND c.version = ${row}.version)`;
  const ofChunks = sha256OfText(`string_agg(${sha256Of('c.data')}, ',' ORDER BY c.chunk)`);
  return {
    bytes: `coalesce(octet_length(${row}.data), ${inChunks('coalesce(sum(octet_length(c.data)), 0)')})`,
    digest: `coalesce(${sha256Of(`${row}.data`)}, ${inChunks(ofChunks)})`,
  };
}

const wholeValue = wholeOf('v', 'sds_value_chunks c WHERE c.hash = v.hash');
const VALUE_COLUMNS = `hash, ${wholeValue.bytes}, ref_count, ${wholeValue.digest}`;

export class ServerReader implements Reader {
  readonly label: string;
  readonly #server: CopyConnection;
  readonly #pause: () => Promise<void>;

  constructor(server: CopyConnection, pause: () => Promise<void>) {
    this.#server = server;
    this.#pause = pause;
    this.label = server.label;
  }

  /** One moment for all that is read from now on; it lasts until the connection ends. */
  async holdStill(): Promise<void> {
    // the server lets go of it if this program's machine is gone
    const idle = { text: "SET LOCAL idle_in_transaction_session_timeout = '10min'" };
    await this.#server.run(BEGIN_READING, ALL_ROWS, idle, UNLIMITED);
    // other sources may take longer
    this.#server.keepAsking();
  }

  /** Names as callers know them, of names as they are stored. */
  async #namesOf(stored: readonly string[]): Promise<string[]> {
    const sql = 'SELECT short, name FROM sds_long_names WHERE short = ANY($1::text[])';
    const long = await this.#server.rows(sql, textArray(stored.filter(isLongName)));
    const wholes = new Map(long.map(([short, whole]) => [short, whole]));
    return stored.map((name) => nameOf(wholes.get(name) ?? name));
  }

  async stores(): Promise<Map<string, StoreSize>> {
    const sizes = new Map<string, StoreSize>();
    const add = (store: string, bytes: number): StoreSize => {
      const size = sizes.get(store) ?? { patches: 0, records: 0, bytes: 0 };
      sizes.set(store, size);
      size.bytes += bytes;
      return size;
    };
    for (const kind of kindsInRows) {
      for await (const [store, { count, bytes }] of printRows(this.#server, tables[kind])) {
        add(store, bytes)[kind] += count;
        await this.#pause();
      }
    }
    for (const [store, bytes] of await this.#server.rows('SELECT store_id, size FROM sds_snapshots')) {
      add(String(store), Number(bytes));
    }
    const names = await this.#namesOf([...sizes.keys()]);
    return new Map([...sizes.values()].map((size, i) => [names[i] ?? '', size]));
  }

  async valueTotals(): Promise<RowsPrint> {
    const print = noRows();
    for await (const rows of this.#valuePages('hash, ref_count, size')) {
      for (const [hash, refCount, size] of rows) addDigest(print, String(hash), Number(size), `${refCount} ${size}`);
      await this.#pause();
    }
    return print;
  }

  async *rows(kind: Kind, stores: readonly string[]): AsyncGenerator<StoredRow[]> {
    const names = byStoredName(stores);
    const stored = [...names.keys()];
    const read = kind === 'snapshots' ? this.#snapshots(stored) : readRows(this.#server, tables[kind], stored);
    for await (const rows of read) {
      yield rows.map((row) => ({ ...row, store: names.get(row.store) ?? '' }));
    }
  }

  async *#snapshots(stored: readonly string[]): AsyncGenerator<StoredRow[]> {
    const sql = 'SELECT store_id, size, clock FROM sds_snapshots WHERE store_id = ANY($1::text[])';
    const heads = await this.#server.rows(sql, textArray(stored));
    for await (const found of this.#wholes('sds_snapshots', 'store_id', heads)) {
      yield found.map(([[store, , clock], data]) => ({ store: String(store), name: Number(clock), data }));
    }
  }

  async *values(): AsyncGenerator<Value[]> {
    for await (const heads of this.#valuePages(VALUE_COLUMNS)) {
      const names = await this.#namesOf(heads.map(([hash]) => String(hash)));
      const whole = new Map(heads.map(([hash], i) => [hash, names[i] ?? '']));
      for await (const found of this.#wholes('sds_values', 'hash', heads)) {
        yield found.map(([head, data]) => ({
          hash: whole.get(String(head[0])) ?? '',
          data,
          print: valuePrintOf(head),
        }));
      }
    }
  }

  /** Some at a time: rows that begin with their key and their size, and the bytes of each, those in chunks by themselves. */
  async *#wholes(
    table: 'sds_snapshots' | 'sds_values',
    key: string,
    heads: Row[],
  ): AsyncGenerator<[head: Row, data: Uint8Array][]> {
    const sql = `SELECT ${key}, encode(data, 'hex') FROM ${table} WHERE ${key} = ANY($1::text[]) AND data IS NOT NULL`;
    for (const piece of piecesOf(heads, ([, size]) => Number(size))) {
      const rows = await this.#server.rows(sql, textArray(piece.map(([stored]) => String(stored))));
      const inRows = new Map<unknown, Uint8Array>(rows.map(([stored, bytes]) => [stored, fromHex(bytes)]));
      const found: [Row, Uint8Array][] = [];
      for (const head of piece) {
        const [stored] = head;
        const read = () => this.#server.use((connection) => readWhole(connection, table, String(stored)));
        const data = inRows.get(stored) ?? (await read());
        if (data !== undefined) found.push([head, data]); // it is, within one moment
      }
      yield found;
    }
  }

  async *#valuePages(columns: string): AsyncGenerator<Row[]> {
    for (let after: string | undefined; ; ) {
      const where = after === undefined ? '' : 'WHERE hash > $1 ';
      const sql = `SELECT ${columns} FROM sds_values v ${where}ORDER BY hash LIMIT ${VALUES_A_READ}`;
      const rows = await this.#server.rows(sql, ...(after === undefined ? [] : [after]));
      if (rows.length > 0) yield rows;
      if (rows.length < VALUES_A_READ) return;
      after = String(rows.at(-1)?.[0]);
    }
  }

  async prints(stores: readonly string[]): Promise<Map<string, StorePrint>> {
    const prints = noRowsOf(stores);
    const names = byStoredName(stores);
    const stored = [...names.keys()];
    const printOf = (stored: unknown) => prints.get(names.get(String(stored)) ?? '');
    for (const kind of kindsInRows) {
      for await (const [name, { count, bytes, digest }] of printRows(this.#server, tables[kind], stored)) {
        await this.#pause();
        const print = printOf(name)?.[kind];
        if (print === undefined) continue;
        print.count += count;
        print.bytes += bytes;
        print.digest += digest;
      }
    }
    const { bytes, digest } = wholeOf('s', 'sds_snapshot_chunks c WHERE c.store_id = s.store_id');
    const rows = await this.#server.rows(
      `SELECT store_id, clock, ${bytes}, ${digest} FROM sds_snapshots s WHERE store_id = ANY($1::text[])`,
      textArray(stored),
    );
    for (const [name, clock, bytes, digest] of rows) {
      const print = printOf(name)?.snapshots;
      if (print !== undefined) addDigest(print, String(clock), Number(bytes), String(digest));
    }
    return prints;
  }

  async valuePrints(hashes: readonly string[]): Promise<Map<string, ValuePrint>> {
    const names = byStoredName(hashes);
    const sql = `SELECT ${VALUE_COLUMNS} FROM sds_values v WHERE hash = ANY($1::text[])`;
    const rows = await this.#server.rows(sql, textArray([...names.keys()]));
    return new Map(rows.map((row) => [names.get(String(row[0])) ?? '', valuePrintOf(row)]));
  }
}

function valuePrintOf([, bytes, refCount, digest]: Row): ValuePrint {
  return { refCount: Number(refCount), bytes: Number(bytes), digest: String(digest) };
}
