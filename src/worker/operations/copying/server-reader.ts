/** Reads stores and values of a PostgreSQL database: of one moment, if it is what is copied. */
import { textArray } from '../../postgresql/arrays.ts';
import { readWhole } from '../../postgresql/chunks.ts';
import { fromHex } from '../../postgresql/connection.ts';
import { byStoredName, isLongName, nameOf, storedName } from '../../postgresql/names.ts';
import { ALL_ROWS, UNLIMITED } from '../../postgresql/transactions.ts';
import type { CopyConnection } from './copy-connection.ts';
import { sha256Of, sha256OfText, ValuesDigest } from './digest.ts';
import type {
  Numbered,
  Reader,
  RowCounts,
  StoredRecord,
  StorePrint,
  StoreSize,
  Value,
  ValuePrint,
  ValueTotals,
} from './ends.ts';
import { piecesOf } from './pieces.ts';
import { patchRows, recordRows, ServerRows } from './server-rows.ts';

const VALUES_A_READ = 4096;

type Row = (string | null)[];

const noRows = { count: 0, bytes: 0, digest: '' };

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
const VALUE_COLUMNS = `hash, ref_count, ${wholeValue.bytes}, ${wholeValue.digest}`;

export class ServerReader implements Reader {
  readonly place: string;
  readonly #server: CopyConnection;
  readonly #pause: () => Promise<void>;
  readonly #patches: ServerRows;
  readonly #records: ServerRows;
  /** By stored names, snapshots that were read together, or that there is none; not those in chunks. */
  #ahead = new Map<string, Numbered | undefined>();

  constructor(server: CopyConnection, pause: () => Promise<void>) {
    this.#server = server;
    this.#pause = pause;
    this.#patches = new ServerRows(patchRows, server, pause);
    this.#records = new ServerRows(recordRows, server, pause);
    this.place = server.place;
  }

  /** One moment for all that is read from now on; it lasts until the connection ends. */
  async holdStill(): Promise<void> {
    const begin = { text: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY' };
    // the server lets go of it if this program's machine is gone
    const idle = { text: "SET LOCAL idle_in_transaction_session_timeout = '10min'" };
    await this.#server.run(begin, ALL_ROWS, idle, UNLIMITED);
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
    for await (const [store, count, bytes] of this.#patches.count()) add(store, bytes).patches += count;
    for await (const [store, count, bytes] of this.#records.count()) add(store, bytes).records += count;
    for (const [store, bytes] of await this.#server.rows('SELECT store_id, size FROM sds_snapshots')) {
      add(String(store), Number(bytes));
    }
    const names = await this.#namesOf([...sizes.keys()]);
    return new Map([...sizes.values()].map((size, i) => [names[i] ?? '', size]));
  }

  async valueTotals(): Promise<ValueTotals> {
    const digest = new ValuesDigest();
    for await (const rows of this.#valuePages('hash, ref_count, size')) {
      for (const [hash, refCount, size] of rows) digest.add(String(hash), Number(refCount), Number(size));
      await this.#pause();
    }
    return digest.end();
  }

  async readAhead(stores: readonly string[]): Promise<void> {
    const stored = stores.map((store) => storedName(store).stored);
    await this.#patches.readAhead(stored);
    await this.#records.readAhead(stored);
    const sql = "SELECT store_id, clock, encode(data, 'hex') FROM sds_snapshots WHERE store_id = ANY($1::text[])";
    const snapshots = await this.#server.rows(sql, textArray(stored));
    this.#ahead = new Map(stored.map((store) => [store, undefined]));
    for (const [store, clock, data] of snapshots) {
      if (typeof data === 'string') this.#ahead.set(String(store), { clock: Number(clock), data: fromHex(data) });
      else this.#ahead.delete(String(store));
    }
  }

  async snapshot(store: string): Promise<Numbered | undefined> {
    const { stored } = storedName(store);
    if (this.#ahead.has(stored)) return this.#ahead.get(stored);
    const [row] = await this.#server.rows('SELECT clock FROM sds_snapshots WHERE store_id = $1', stored);
    const data = await this.#whole('sds_snapshots', stored);
    return row === undefined || data === undefined ? undefined : { clock: Number(row[0]), data };
  }

  #whole(table: 'sds_snapshots' | 'sds_values', key: string): Promise<Uint8Array | undefined> {
    return this.#server.use((connection) => readWhole(connection, table, key));
  }

  async *patches(store: string): AsyncGenerator<Numbered[]> {
    for await (const rows of this.#patches.of(storedName(store).stored)) {
      yield rows.map(({ name, data }) => ({ clock: Number(name), data }));
    }
  }

  async *records(store: string): AsyncGenerator<StoredRecord[]> {
    for await (const rows of this.#records.of(storedName(store).stored)) {
      yield rows.map(({ name, data }) => ({ key: fromHex(name).toString(), data }));
    }
  }

  async *values(): AsyncGenerator<Value[]> {
    const sql = "SELECT hash, encode(data, 'hex') FROM sds_values WHERE hash = ANY($1::text[]) AND data IS NOT NULL";
    for await (const heads of this.#valuePages(VALUE_COLUMNS)) {
      const names = await this.#namesOf(heads.map(([hash]) => String(hash)));
      const all = heads.map((head, i) => ({
        stored: String(head[0]),
        hash: names[i] ?? '',
        print: valuePrintOf(head),
      }));
      for (const piece of piecesOf(all, ({ print }) => print.bytes)) {
        const found = await this.#server.rows(sql, textArray(piece.map(({ stored }) => stored)));
        const inRows = new Map<unknown, Uint8Array>(found.map(([stored, bytes]) => [stored, fromHex(bytes)]));
        const values: Value[] = [];
        for (const { stored, hash, print } of piece) {
          const data = inRows.get(stored) ?? (await this.#whole('sds_values', stored));
          if (data !== undefined) values.push({ hash, data, print }); // it is, within one moment
        }
        yield values;
      }
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

  async prints(stores: ReadonlyMap<string, RowCounts>): Promise<Map<string, StorePrint>> {
    const counts = [...stores].map(([store, rows]) => ({ store, stored: storedName(store).stored, ...rows }));
    const patches = await this.#patches.prints(new Map(counts.map(({ stored, patches }) => [stored, patches])));
    const records = await this.#records.prints(new Map(counts.map(({ stored, records }) => [stored, records])));
    const { bytes, digest } = wholeOf('s', 'sds_snapshot_chunks c WHERE c.store_id = s.store_id');
    const rows = await this.#server.rows(
      `SELECT store_id, clock, ${bytes}, ${digest} FROM sds_snapshots s WHERE store_id = ANY($1::text[])`,
      textArray(counts.map(({ stored }) => stored)),
    );
    const snapshots = new Map<unknown, StorePrint['snapshot']>();
    for (const [stored, clock, bytes, digest] of rows) {
      snapshots.set(stored, { clock: Number(clock), bytes: Number(bytes), digest: String(digest) });
    }
    return new Map(
      counts.map(({ store, stored }) => [
        store,
        {
          patches: patches.get(stored) ?? noRows,
          records: records.get(stored) ?? noRows,
          snapshot: snapshots.get(stored),
        },
      ]),
    );
  }

  async valuePrints(hashes: readonly string[]): Promise<Map<string, ValuePrint>> {
    const names = byStoredName(hashes);
    const sql = `SELECT ${VALUE_COLUMNS} FROM sds_values v WHERE hash = ANY($1::text[])`;
    const rows = await this.#server.rows(sql, textArray([...names.keys()]));
    return new Map(rows.map((row) => [names.get(String(row[0])) ?? '', valuePrintOf(row)]));
  }
}

function valuePrintOf([, refCount, bytes, digest]: Row): ValuePrint {
  return { refCount: Number(refCount), bytes: Number(bytes), digest: String(digest) };
}
