/** Reads stores and values of a PostgreSQL database: of one moment, if it is what is copied. */
import { isLongName, nameOf, storedName } from '../../postgresql/names.ts';
import { bytesOf, type CopyConnection, textArray } from './copy-connection.ts';
import { CHUNK_BYTES, digestsAreUsed, joined, PATCHES_A_PAGE } from './digest.ts';
import type { Patch, Reader, StorePrint, StoreSize, Value, ValuePrint } from './ends.ts';

const BYTES_A_READ = 4 * 1024 * 1024;
const ROWS_A_COUNT = 100_000;
const SLICE_BYTES = 16 * 1024 * 1024;
const ROWS_A_READ = 4096;
const CHUNKS_A_READ = BYTES_A_READ / CHUNK_BYTES;
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
    await this.#server.one('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    // nothing is asked here while much is written elsewhere
    await this.#server.one("SET LOCAL idle_in_transaction_session_timeout = '10min'");
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

  async valueSize(): Promise<{ count: number; bytes: number }> {
    const all = { count: 0, bytes: 0 };
    for (let last: string | undefined; ; ) {
      const where = last === undefined ? '' : 'WHERE hash > $1 ';
      const [row] = await this.#server.rows(
        `SELECT count(*), sum(size), max(hash) FROM (SELECT hash, size FROM sds_values ${where}ORDER BY hash LIMIT ${ROWS_A_COUNT}) AS page`,
        ...(last === undefined ? [] : [last]),
      );
      if (row?.[2] === null || row?.[2] === undefined) return all;
      all.count += Number(row[0]);
      all.bytes += Number(row[1]);
      last = row[2];
      await this.#pause();
    }
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
      const sql = `SELECT store_id, clock, data FROM ${table} WHERE store_id = ANY($1::text[]) ORDER BY ${order}`;
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
    const sql = 'SELECT clock, version, size, data FROM sds_snapshots WHERE store_id = $1';
    const [row] = await this.#server.rows(sql, stored);
    if (row === undefined) return undefined;
    const [clock, version, size, data] = row;
    if (data !== null) return { clock: Number(clock), data: bytesOf(data) };
    const chunks = 'FROM sds_snapshot_chunks WHERE store_id = $1';
    return { clock: Number(clock), data: await this.#joinChunks(chunks, stored, String(version), Number(size)) };
  }

  async #joinChunks(from: string, key: string, version: string, size: number): Promise<Buffer> {
    const whole = Buffer.alloc(size);
    const sql = `SELECT chunk, data ${from} AND version = $2 AND chunk BETWEEN $3 AND $4`;
    for (let first = 0; first * CHUNK_BYTES < size; first += CHUNKS_A_READ) {
      const last = String(first + CHUNKS_A_READ - 1);
      for (const [chunk, data] of await this.#server.rows(sql, key, version, String(first), last)) {
        whole.set(bytesOf(data), Number(chunk) * CHUNK_BYTES);
      }
    }
    return whole;
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
      for (const piece of piecesOf(heads, 1)) {
        const [clock, bytes] = piece[0] ?? [];
        if (Number(bytes) > BYTES_A_READ) {
          yield [{ clock: Number(clock), data: await this.#joinSlices(stored, String(clock), Number(bytes)) }];
          continue;
        }
        const rows = await this.#server.rows(
          'SELECT clock, data FROM sds_patches WHERE store_id = $1 AND clock BETWEEN $2 AND $3 ORDER BY clock',
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
    const sql = `SELECT substring(data FROM $3 FOR ${SLICE_BYTES}) FROM sds_patches WHERE store_id = $1 AND clock = $2`;
    for (let at = 0; at < bytes; at += SLICE_BYTES) {
      const [row] = await this.#server.rows(sql, stored, clock, String(at + 1));
      whole.set(bytesOf(row?.[0]), at);
    }
    return whole;
  }

  async *values(): AsyncGenerator<Value[]> {
    for await (const heads of this.#pages('hash, ref_count, version, size, data IS NULL AS chunked', 'sds_values')) {
      const names = await this.#namesOf(heads.map(([hash]) => String(hash)));
      const nameOfRow = new Map(heads.map((head, i) => [head, names[i] ?? '']));
      for (const piece of piecesOf(heads, 3)) {
        const inRows = piece.filter(([, , , , chunked]) => chunked !== 't').map(([hash]) => String(hash));
        const data = new Map<string, Buffer>();
        if (inRows.length > 0) {
          const sql = 'SELECT hash, data FROM sds_values WHERE hash = ANY($1::text[])';
          for (const [hash, bytes] of await this.#server.rows(sql, textArray(inRows))) {
            data.set(String(hash), bytesOf(bytes));
          }
        }
        const values: Value[] = [];
        for (const head of piece) {
          const [hash, refCount, version, size] = head;
          const from = 'FROM sds_value_chunks WHERE hash = $1';
          values.push({
            hash: nameOfRow.get(head) ?? '',
            refCount: Number(refCount),
            data: data.get(String(hash)) ?? (await this.#joinChunks(from, String(hash), String(version), Number(size))),
          });
        }
        yield values;
      }
    }
  }

  async *#pages(columns: string, table: string): AsyncGenerator<Row[]> {
    for (let after: string | undefined; ; ) {
      const where = after === undefined ? '' : 'WHERE hash > $1 ';
      const sql = `SELECT ${columns} FROM ${table} v ${where}ORDER BY hash LIMIT ${ROWS_A_READ}`;
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
      if (count <= PATCHES_A_PAGE) together.push(store);
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
          `WHERE store_id = $1 AND clock > $2 ORDER BY clock LIMIT ${PATCHES_A_PAGE}) AS page`,
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

  async *valuePrints(): AsyncGenerator<Map<string, ValuePrint>> {
    for await (const rows of this.#pages(valueColumns(), 'sds_values')) yield this.#valuePrintsIn(rows);
  }

  async valuePrintsOf(hashes: readonly string[]): Promise<Map<string, ValuePrint>> {
    const stored = hashes.map((hash) => storedName(hash).stored);
    const sql = `SELECT ${valueColumns()} FROM sds_values v WHERE hash = ANY($1::text[])`;
    return this.#valuePrintsIn(await this.#server.rows(sql, textArray(stored)));
  }

  async #valuePrintsIn(rows: Row[]): Promise<Map<string, ValuePrint>> {
    const names = await this.#namesOf(rows.map(([hash]) => String(hash)));
    return new Map(
      rows.map(([, refCount, bytes, digest], i) => [
        names[i] ?? '',
        { refCount: Number(refCount), bytes: Number(bytes), digest: String(digest) },
      ]),
    );
  }
}

function valueColumns(): string {
  const { bytes, digest } = wholeOf('v', 'sds_value_chunks c WHERE c.hash = v.hash');
  return `hash, ref_count, ${bytes}, ${digest}`;
}

/** Of patches, as `PatchDigest` makes it. */
function pageDigest(): string {
  return digestsAreUsed() ? "md5(string_agg(clock::text || ' ' || md5(data), ',' ORDER BY clock))" : "''";
}

/** Rows that are read together, by their bytes in a column. */
function* piecesOf(rows: readonly Row[], column: number): Generator<Row[]> {
  for (let start = 0; start < rows.length; ) {
    let end = start + 1;
    for (let bytes = Number(rows[start]?.[column]); end < rows.length; end++) {
      bytes += Number(rows[end]?.[column]);
      if (bytes > BYTES_A_READ) break;
    }
    yield rows.slice(start, end);
    start = end;
  }
}
