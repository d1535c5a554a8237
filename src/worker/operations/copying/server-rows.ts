/** The patches or the records of stores in a PostgreSQL database: counted, read and digested in pages of their order. */
import { textArray } from '../../postgresql/arrays.ts';
import { fromHex } from '../../postgresql/connection.ts';
import type { CopyConnection } from './copy-connection.ts';
import { joined, ROWS_A_PAGE, sha256Of, sha256OfText } from './digest.ts';
import type { RowsPrint } from './ends.ts';
import { piecesOf } from './pieces.ts';

const ROWS_A_COUNT = 100_000;
const ROWS_A_READ = 4096;

/** How the rows of a table are put in order within a store, and told apart. */
interface RowKind {
  table: string;
  order: string;
  /** A row's place in that order as one value, the greatest of which is that of the last row. */
  place: string;
  /** The values of the columns by which it is ordered, from a parameter or literal that is a place. */
  valuesOf: (parameter: string) => string;
  beforeAll: string;
  /** As which it is read, and as which it is digested: see `RowsDigest`. */
  name: string;
  digestedName: string;
}

const WHOLE_KEY = 'coalesce(long_key, key)';
const DIGITS = 19;

export const patchRows: RowKind = {
  table: 'sds_patches',
  order: 'clock',
  place: 'clock',
  valuesOf: (parameter) => `${parameter}::bigint`,
  beforeAll: String(Number.MIN_SAFE_INTEGER - 1),
  name: 'clock',
  digestedName: 'clock::text',
};

/** Records that several processes make at the same time may have the same position. */
export const recordRows: RowKind = {
  table: 'sds_records',
  order: 'position, key',
  place: `lpad(position::text, ${DIGITS}, '0') || encode(key, 'hex') COLLATE "C"`,
  valuesOf: (parameter) =>
    `substr(${parameter}, 1, ${DIGITS})::bigint, decode(substr(${parameter}, ${DIGITS + 1}), 'hex')`,
  beforeAll: '0'.repeat(DIGITS),
  name: `encode(${WHOLE_KEY}, 'hex')`,
  digestedName: sha256Of(WHOLE_KEY),
};

interface StoredRow {
  name: string;
  data: Buffer;
}

export class ServerRows {
  readonly #kind: RowKind;
  readonly #server: CopyConnection;
  readonly #pause: () => Promise<void>;
  #ahead = new Map<string, StoredRow[]>();

  constructor(kind: RowKind, server: CopyConnection, pause: () => Promise<void>) {
    this.#kind = kind;
    this.#server = server;
    this.#pause = pause;
  }

  /** A store may come several times. Not all in one query: it would take minutes without a word. */
  async *count(): AsyncGenerator<[store: string, rows: number, bytes: number]> {
    const { table, order, place, valuesOf, beforeAll } = this.#kind;
    for (let after = ['', beforeAll]; ; ) {
      const rows = await this.#server.rows(
        `SELECT store_id, count(*), sum(octet_length(data)), max(${place}) FROM (SELECT store_id, ${order}, data FROM ${table} ` +
          `WHERE (store_id, ${order}) > ($1, ${valuesOf('$2')}) ORDER BY store_id, ${order} LIMIT ${ROWS_A_COUNT}) AS page GROUP BY store_id ORDER BY store_id`,
        ...after,
      );
      for (const [store, count, bytes] of rows) yield [String(store), Number(count), Number(bytes)];
      const end = rows.at(-1);
      if (end === undefined) return;
      after = [String(end[0]), String(end[3])];
      await this.#pause();
    }
  }

  /** Reads those of several small stores together, in the place of those that were read so before. */
  async readAhead(stores: readonly string[]): Promise<void> {
    const { table, order, name } = this.#kind;
    this.#ahead = new Map(stores.map((store) => [store, []]));
    const rows = await this.#server.rows(
      `SELECT store_id, ${name}, encode(data, 'hex') FROM ${table} WHERE store_id = ANY($1::text[]) ORDER BY store_id, ${order}`,
      textArray(stores),
    );
    for (const [store, name, data] of rows) {
      this.#ahead.get(String(store))?.push({ name: String(name), data: fromHex(data) });
    }
  }

  async *of(store: string): AsyncGenerator<StoredRow[]> {
    const ahead = this.#ahead.get(store);
    if (ahead !== undefined) {
      if (ahead.length > 0) yield ahead;
      return;
    }
    const { table, order, place, valuesOf, beforeAll, name } = this.#kind;
    for (let after = beforeAll; ; ) {
      const heads = await this.#server.rows(
        `SELECT ${place}, octet_length(data), ${name} FROM ${table} ` +
          `WHERE store_id = $1 AND (${order}) > (${valuesOf('$2')}) ORDER BY ${order} LIMIT ${ROWS_A_READ}`,
        store,
        after,
      );
      for (const piece of piecesOf(heads, ([, bytes]) => Number(bytes))) {
        const rows: StoredRow[] = [];
        await this.#server.use((connection) => {
          const valuesAt = (row: unknown[] | undefined) => valuesOf(connection.escapeLiteral(String(row?.[0])));
          const those =
            `FROM ${table} WHERE store_id = ${connection.escapeLiteral(store)} AND (${order}) ` +
            `BETWEEN (${valuesAt(piece[0])}) AND (${valuesAt(piece.at(-1))}) ORDER BY ${order}`;
          const take = (data: Buffer) => rows.push({ name: String(piece[rows.length]?.[2]), data: Buffer.from(data) });
          return connection.read(['data'], those, take);
        });
        yield rows;
      }
      const last = heads.at(-1)?.[0];
      if (last === undefined || last === null) return;
      after = last;
    }
  }

  /** @param counts - about how many there are of each store; of one that is not found, nothing comes back */
  async prints(counts: ReadonlyMap<string, number>): Promise<Map<string, RowsPrint>> {
    const prints = new Map<string, RowsPrint>();
    const together: string[] = [];
    for (const [store, count] of counts) {
      if (count <= ROWS_A_PAGE) together.push(store);
      else prints.set(store, await this.#printOfLarge(store));
    }
    const found = await this.#server.rows(
      `SELECT store_id, count(*), sum(octet_length(data)), ${this.#pageDigest} FROM ${this.#kind.table} ` +
        'WHERE store_id = ANY($1::text[]) GROUP BY store_id',
      textArray(together),
    );
    for (const [store, count, bytes, digest] of found) {
      prints.set(String(store), { count: Number(count), bytes: Number(bytes), digest: String(digest) });
    }
    return prints;
  }

  async #printOfLarge(store: string): Promise<RowsPrint> {
    const { table, order, place, valuesOf, beforeAll } = this.#kind;
    const print = { count: 0, bytes: 0, digest: '' };
    for (let after = beforeAll; ; ) {
      const [row] = await this.#server.rows(
        `SELECT count(*), sum(octet_length(data)), max(${place}), ${this.#pageDigest} FROM (SELECT * FROM ${table} ` +
          `WHERE store_id = $1 AND (${order}) > (${valuesOf('$2')}) ORDER BY ${order} LIMIT ${ROWS_A_PAGE}) AS page`,
        store,
        after,
      );
      const [count, bytes, last, digest] = row ?? [];
      if (Number(count) === 0) return print;
      print.count += Number(count);
      print.bytes += Number(bytes);
      print.digest = joined(print.digest, String(digest));
      await this.#pause();
      after = String(last);
    }
  }

  /** As `RowsDigest` makes it. */
  get #pageDigest(): string {
    const { order, digestedName } = this.#kind;
    return sha256OfText(`string_agg(${digestedName} || ' ' || ${sha256Of('data')}, ',' ORDER BY ${order})`);
  }
}
