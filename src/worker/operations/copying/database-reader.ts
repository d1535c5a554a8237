/** Reads stores and values of a PostgreSQL database: of one moment, if it is what is copied. */
import { textArray } from '../../postgresql/arrays.ts';
import { bytesOf, readWhole } from '../../postgresql/chunks.ts';
import { isLongName, nameOf, storedName } from '../../postgresql/names.ts';
import type { CopyConnection } from './copy-connection.ts';
import { digestsAreUsed, joined, ROWS_A_PAGE, ValuesDigest } from './digest.ts';
import type { Patch, Reader, StorePrint, StoreSize, Value, ValuePrint, ValueTotals } from './ends.ts';
import { BYTES_A_READ, piecesOf } from './pieces.ts';

const ROWS_A_COUNT = 100_000;
const SLICE_BYTES = 16 * 1024 * 1024;
const ROWS_A_READ = 4096;
const BEFORE_ALL = String(Number.MIN_SAFE_INTEGER - 1);

type Row = (string | null)[];

/** A store whose rows were read together with those of others. */
interface Ahead {
  patches: Patch[];
  snapshot: Patch | undefined;
  isInChunks: boolean;
}

const empty = (patches = 0): StorePrint => ({
  patches,
  patchBytes: 0,
  patchDigest: '',
  snapshotClock: null,
  snapshotBytes: 0,
  snapshotDigest: '',
});

/** Of bytes that lie in their row, or in rows of chunks. */
function wholeOf(row: string, chunks: string): { bytes: string; digest: string } {
  const inChunks = (what: string) => `(SELECT ${what} FROM ${chunks} AND c.version = ${row}.version)`;
  const digest = `coalesce(md5(${row}.data), ${inChunks("md5(string_agg(md5(c.data), ',' ORDER BY c.chunk))")})`;
  return {
    bytes: `coalesce(octet_length(${row}.data), ${inChunks('coalesce(sum(octet_length(c.data)), 0)')})`,
    digest: digestsAreUsed() ? digest : "''",
  };
}

export class DatabaseReader implements Reader {
  readonly place: string;
  readonly #server: CopyConnection;
  readonly #pause: () => Promise<void>;
  #ahead = new Map<string, Ahead>();

  /** @param pause - called now and then in what takes long */
  constructor(server: CopyConnection, pause: () => Promise<void>) {
    this.#server = server;
    this.#pause = pause;
    this.place = server.place;
  }

  /** One moment for all that is read from now on; it lasts until the connection ends. */
  async holdStill(): Promise<void> {
    await this.#server.run({ text: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY' });
    // nothing is asked here while much is written elsewhere
    await this.#server.run({ text: "SET LOCAL idle_in_transaction_session_timeout = '10min'" });
  }

  check(): void {}

  /** Names as callers know them, of names as they are stored. */
  async #namesOf(stored: readonly string[]): Promise<string[]> {
    const long = stored.filter(isLongName);
    const wholes = new Map<string, string>();
    if (long.length > 0) {
      const sql = 'SELECT short, name FROM sds_long_names WHERE short = ANY($1::text[])';
      for (const [short, name] of await this.#server.rows(sql, textArray(long))) {
        wholes.set(String(short), String(name));
      }
    }
    return stored.map((name) => nameOf(wholes.get(name) ?? name));
  }

  async stores(): Promise<Map<string, StoreSize>> {
    const sizes = new Map<string, StoreSize>();
    for await (const [store, count, bytes] of this.#countPatches()) {
      const { patches, bytes: before } = sizes.get(store) ?? { patches: 0, bytes: 0 };
      sizes.set(store, { patches: patches + count, bytes: before + bytes, hasSnapshot: false });
    }
    for (const [store, bytes] of await this.#server.rows('SELECT store_id, size FROM sds_snapshots')) {
      const size = sizes.get(String(store)) ?? { patches: 0, bytes: 0 };
      sizes.set(String(store), { patches: size.patches, bytes: size.bytes + Number(bytes), hasSnapshot: true });
    }
    const names = await this.#namesOf([...sizes.keys()]);
    return new Map([...sizes.values()].map((size, i) => [names[i] ?? '', size]));
  }

  /** A store may come several times. Not all in one query: it would take minutes without a word. */
  async *#countPatches(): AsyncGenerator<[string, number, number]> {
    for (let last: string[] | undefined; ; ) {
      const where = last === undefined ? '' : 'WHERE (store_id, clock) > ($1, $2::bigint) ';
      const rows = await this.#server.rows(
        'SELECT store_id, count(*), sum(octet_length(data)), max(clock) FROM (SELECT store_id, clock, data FROM sds_patches ' +
          `${where}ORDER BY store_id, clock LIMIT ${ROWS_A_COUNT}) AS page GROUP BY store_id ORDER BY store_id`,
        ...(last ?? []),
      );
      for (const [store, count, bytes] of rows) yield [String(store), Number(count), Number(bytes)];
      const end = rows.at(-1);
      if (end === undefined) return;
      last = [String(end[0]), String(end[3])];
      await this.#pause();
    }
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
    const names = new Map(stores.map((store) => [storedName(store).stored, store]));
    const those = textArray([...names.keys()]);
    this.#ahead = new Map(stores.map((store) => [store, { patches: [], snapshot: undefined, isInChunks: false }]));
    const rowsOf = async (
      table: string,
      order: string,
      take: (store: Ahead, patch: Patch, data: string | null) => void,
    ) => {
      const sql = `SELECT store_id, clock, encode(data, 'hex') FROM ${table} WHERE store_id = ANY($1::text[]) ORDER BY ${order}`;
      for (const [stored, clock, data = null] of await this.#server.rows(sql, those)) {
        const store = this.#ahead.get(names.get(String(stored)) ?? '');
        if (store !== undefined) take(store, { clock: Number(clock), data: bytesOf(data) }, data);
      }
    };
    await rowsOf('sds_patches', 'store_id, clock', ({ patches }, patch) => patches.push(patch));
    await rowsOf('sds_snapshots', 'store_id', (store, snapshot, data) => {
      if (data === null) store.isInChunks = true;
      else store.snapshot = snapshot;
    });
  }

  async snapshot(store: string): Promise<Patch | undefined> {
    const ahead = this.#ahead.get(store);
    if (ahead?.isInChunks === false) return ahead.snapshot;
    const { stored } = storedName(store);
    const [row] = await this.#server.rows('SELECT clock FROM sds_snapshots WHERE store_id = $1', stored);
    const data = await this.#whole('sds_snapshots', stored);
    return row === undefined || data === undefined ? undefined : { clock: Number(row[0]), data };
  }

  #whole(table: 'sds_snapshots' | 'sds_values', key: string): Promise<Uint8Array | undefined> {
    return this.#server.use((connection) => readWhole(connection, table, key, this.#server.mayCopy));
  }

  async *patches(store: string): AsyncGenerator<Patch[]> {
    const ahead = this.#ahead.get(store);
    if (ahead !== undefined) {
      if (ahead.patches.length > 0) yield ahead.patches;
      return;
    }
    const { stored } = storedName(store);
    for (let after = BEFORE_ALL; ; ) {
      const heads = await this.#server.rows(
        `SELECT clock, octet_length(data) FROM sds_patches WHERE store_id = $1 AND clock > $2 ORDER BY clock LIMIT ${ROWS_A_READ}`,
        stored,
        after,
      );
      for (const piece of piecesOf(heads, ([, bytes]) => Number(bytes))) {
        const [clock, bytes] = piece[0] ?? [];
        if (Number(bytes) > BYTES_A_READ) {
          yield [{ clock: Number(clock), data: await this.#joinSlices(stored, String(clock), Number(bytes)) }];
          continue;
        }
        const rows = await this.#server.rows(
          "SELECT clock, encode(data, 'hex') FROM sds_patches WHERE store_id = $1 AND clock BETWEEN $2 AND $3 ORDER BY clock",
          stored,
          String(piece[0]?.[0]),
          String(piece.at(-1)?.[0]),
        );
        yield rows.map(([clock, data]) => ({ clock: Number(clock), data: bytesOf(data) }));
      }
      const last = heads.at(-1)?.[0];
      if (last === undefined || last === null) return;
      after = last;
    }
  }

  /** A text of the client has its limits, and bytes in digits are twice as long. */
  async #joinSlices(stored: string, clock: string, bytes: number): Promise<Buffer> {
    const whole = Buffer.alloc(bytes);
    const sql = `SELECT encode(substring(data FROM $3 FOR ${SLICE_BYTES}), 'hex') FROM sds_patches WHERE store_id = $1 AND clock = $2`;
    for (let at = 0; at < bytes; at += SLICE_BYTES) {
      const [row] = await this.#server.rows(sql, stored, clock, String(at + 1));
      whole.set(bytesOf(row?.[0]), at);
    }
    return whole;
  }

  async *values(): AsyncGenerator<Value[]> {
    for await (const heads of this.#valuePages(`${valueColumns()}, data IS NULL`)) {
      const names = await this.#namesOf(heads.map(([hash]) => String(hash)));
      const nameOfRow = new Map(heads.map((head, i) => [head, names[i] ?? '']));
      for (const piece of piecesOf(heads, ([, , bytes]) => Number(bytes))) {
        const inRows = piece.filter(([, , , , isInChunks]) => isInChunks !== 't').map(([hash]) => String(hash));
        const sql = "SELECT hash, encode(data, 'hex') FROM sds_values WHERE hash = ANY($1::text[])";
        const found = inRows.length === 0 ? [] : await this.#server.rows(sql, textArray(inRows));
        const data = new Map<unknown, Uint8Array>(found.map(([hash, bytes]) => [hash, bytesOf(bytes)]));
        const values: Value[] = [];
        for (const head of piece) {
          const bytes = data.get(head[0]) ?? (await this.#whole('sds_values', String(head[0])));
          if (bytes === undefined) continue; // not within one moment
          values.push({ hash: nameOfRow.get(head) ?? '', data: bytes, print: valuePrintOf(head) });
        }
        yield values;
      }
    }
  }

  async *#valuePages(columns: string): AsyncGenerator<Row[]> {
    for (let after: string | undefined; ; ) {
      const where = after === undefined ? '' : 'WHERE hash > $1 ';
      const sql = `SELECT ${columns} FROM sds_values v ${where}ORDER BY hash LIMIT ${ROWS_A_READ}`;
      const rows = await this.#server.rows(sql, ...(after === undefined ? [] : [after]));
      if (rows.length > 0) yield rows;
      if (rows.length < ROWS_A_READ) return;
      after = String(rows.at(-1)?.[0]);
    }
  }

  async prints(patches: ReadonlyMap<string, number>): Promise<Map<string, StorePrint>> {
    const prints = new Map<string, StorePrint>();
    const together: string[] = [];
    for (const [store, count] of patches) {
      if (count <= ROWS_A_PAGE) together.push(store);
      else prints.set(store, await this.#printOfLarge(store));
    }
    const names = new Map(together.map((store) => [storedName(store).stored, store]));
    for (const store of together) prints.set(store, empty());
    const found = await this.#server.rows(
      `SELECT store_id, count(*), sum(octet_length(data)), ${pageDigest()} FROM sds_patches WHERE store_id = ANY($1::text[]) GROUP BY store_id`,
      textArray([...names.keys()]),
    );
    for (const [stored, count, bytes, digest] of found) {
      const print = { ...empty(Number(count)), patchBytes: Number(bytes), patchDigest: String(digest) };
      prints.set(names.get(String(stored)) ?? '', print);
    }
    await this.#addSnapshots(prints);
    return prints;
  }

  async #printOfLarge(store: string): Promise<StorePrint> {
    const { stored } = storedName(store);
    const print = empty();
    for (let after = BEFORE_ALL; ; ) {
      const [row] = await this.#server.rows(
        `SELECT count(*), sum(octet_length(data)), max(clock), ${pageDigest()} FROM (SELECT clock, data FROM sds_patches ` +
          `WHERE store_id = $1 AND clock > $2 ORDER BY clock LIMIT ${ROWS_A_PAGE}) AS page`,
        stored,
        after,
      );
      const [count, bytes, last, digest] = row ?? [];
      if (Number(count) === 0) return print;
      print.patches += Number(count);
      print.patchBytes += Number(bytes);
      print.patchDigest = joined(print.patchDigest, String(digest));
      await this.#pause();
      after = String(last);
    }
  }

  async #addSnapshots(prints: Map<string, StorePrint>): Promise<void> {
    const names = new Map([...prints.keys()].map((store) => [storedName(store).stored, store]));
    const { bytes, digest } = wholeOf('s', 'sds_snapshot_chunks c WHERE c.store_id = s.store_id');
    const rows = await this.#server.rows(
      `SELECT store_id, clock, ${bytes}, ${digest} FROM sds_snapshots s WHERE store_id = ANY($1::text[])`,
      textArray([...names.keys()]),
    );
    for (const [stored, clock, size, whole] of rows) {
      const print = prints.get(names.get(String(stored)) ?? '');
      if (print === undefined) continue;
      print.snapshotClock = Number(clock);
      print.snapshotBytes = Number(size);
      print.snapshotDigest = String(whole);
    }
  }

  async valuePrints(hashes: readonly string[]): Promise<Map<string, ValuePrint>> {
    const names = new Map(hashes.map((hash) => [storedName(hash).stored, hash]));
    const sql = `SELECT ${valueColumns()} FROM sds_values v WHERE hash = ANY($1::text[])`;
    const rows = await this.#server.rows(sql, textArray([...names.keys()]));
    return new Map(rows.map((row) => [names.get(String(row[0])) ?? '', valuePrintOf(row)]));
  }
}

/** Hash, references, bytes and digest of a value. */
function valueColumns(): string {
  const { bytes, digest } = wholeOf('v', 'sds_value_chunks c WHERE c.hash = v.hash');
  return `hash, ref_count, ${bytes}, ${digest}`;
}

function valuePrintOf([, refCount, bytes, digest]: Row): ValuePrint {
  return { refCount: Number(refCount), bytes: Number(bytes), digest: String(digest) };
}

/** Of patches, as `RowsDigest` makes it. */
function pageDigest(): string {
  return digestsAreUsed() ? "md5(string_agg(clock::text || ' ' || md5(data), ',' ORDER BY clock))" : "''";
}
