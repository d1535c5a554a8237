/** The patches or the records of stores in a PostgreSQL database: counted, read and digested in pages of their order. */
import { textArray } from '../../postgresql/arrays.ts';
import { fromHex } from '../../postgresql/connection.ts';
import type { CopyConnection } from './copy-connection.ts';
import { digestOfRows, sha256Of } from './digest.ts';
import type { RowsPrint, StoredRow } from './ends.ts';
import { piecesOf } from './pieces.ts';

/** Not all in one query: it would take minutes without a word. */
const ROWS_A_PAGE = 20_000;
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
  /** As which it is read and what that stands for, and as which it is digested: see `addDigest`. */
  name: string;
  nameOf: (text: string) => number | string;
  digestedName: string;
}

const WHOLE_KEY = 'coalesce(long_key, key)';
const DIGITS = 19;

export const patchRows: RowKind = {
  table: 'sds_patches',
  order: 'clock',
  place: 'clock',
  valuesOf: (parameter) => `${parameter}::bigint`,
  beforeAll: '-9223372036854775808', // also before rows that another program has added
  name: 'clock',
  nameOf: Number,
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
  nameOf: (text) => fromHex(text).toString(),
  digestedName: sha256Of(WHOLE_KEY),
};

/** Of all stores, without a digest, for which all bytes would be read. A store may come several times, with other rows. */
export function countRows(server: CopyConnection, kind: RowKind): AsyncGenerator<[store: string, RowsPrint]> {
  const { order, valuesOf } = kind;
  return pagesOf(server, kind, `(store_id, ${order}) > ($1, ${valuesOf('$2')})`, ROWS_A_PAGE, '0');
}

/** The same of these stores, with digests to be added up. Of one there may be any number of rows; several of them are small. */
export function digestRows(
  server: CopyConnection,
  kind: RowKind,
  stores: readonly string[],
): AsyncGenerator<[store: string, RowsPrint]> {
  const { order, valuesOf, digestedName } = kind;
  const where = `store_id = ANY($4::text[]) AND (${order}) > (${valuesOf('$2')})`;
  const digest = digestOfRows('ordinal', digestedName, 'data');
  return pagesOf(server, kind, where, stores.length === 1 ? ROWS_A_PAGE : 'ALL', digest, textArray(stores));
}

async function* pagesOf(
  server: CopyConnection,
  { table, order, place, beforeAll }: RowKind,
  where: string,
  most: number | 'ALL',
  digest: string,
  ...values: Buffer[]
): AsyncGenerator<[store: string, RowsPrint]> {
  for (let [after, before] = [['', beforeAll], '0']; ; ) {
    const rows = await server.rows(
      `SELECT store_id, max(${place}), max(ordinal), count(*), sum(octet_length(data)), ${digest} FROM (` +
        'SELECT *, CASE store_id WHEN $1 THEN $3::bigint ELSE 0 END + ' +
        `row_number() OVER (PARTITION BY store_id ORDER BY ${order}) AS ordinal FROM (` +
        `SELECT * FROM ${table} WHERE ${where} ORDER BY store_id, ${order} LIMIT ${most}` +
        ') AS page) AS numbered GROUP BY store_id ORDER BY store_id',
      ...after,
      before,
      ...values,
    );
    for (const [store, , , count, bytes, digest] of rows) {
      yield [String(store), { count: Number(count), bytes: Number(bytes), digest: BigInt(String(digest)) }];
    }
    const end = rows.at(-1)?.map(String);
    if (end === undefined || most === 'ALL') return;
    [after, before] = [end.slice(0, 2), String(end[2])];
  }
}

/** Those of these stores in their order, some at a time, one store after the other; several stores are small. */
export async function* readRows(
  server: CopyConnection,
  { table, order, place, valuesOf, beforeAll, name, nameOf }: RowKind,
  stores: readonly string[],
): AsyncGenerator<StoredRow[]> {
  const isOne = stores.length === 1;
  for (let after = beforeAll; ; ) {
    const heads = await server.rows(
      `SELECT store_id, ${place}, octet_length(data), ${name} FROM ${table} WHERE store_id = ANY($1::text[]) ` +
        `AND (${order}) > (${valuesOf('$2')}) ORDER BY store_id, ${order} LIMIT ${isOne ? ROWS_A_READ : 'ALL'}`,
      textArray(stores),
      after,
    );
    if (heads.length === 0) return;
    for (const piece of isOne ? piecesOf(heads, ([, , bytes]) => Number(bytes)) : [heads]) {
      const rows: StoredRow[] = [];
      await server.use((connection) => {
        const literal = (text: unknown) => connection.escapeLiteral(String(text));
        const valuesAt = (row: unknown[] | undefined) => valuesOf(literal(row?.[1]));
        const bounds = `AND (${order}) BETWEEN (${valuesAt(piece[0])}) AND (${valuesAt(piece.at(-1))})`;
        const those =
          `FROM ${table} WHERE store_id IN (${stores.map(literal).join()}) ${isOne ? bounds : ''} ` +
          `ORDER BY store_id, ${order}`;
        return connection.read(['data'], those, (data) => {
          const [store, , , name] = piece[rows.length] ?? [];
          rows.push({ store: String(store), name: nameOf(String(name)), data: Buffer.from(data) });
        });
      });
      yield rows;
    }
    if (!isOne) return;
    after = String(heads.at(-1)?.[1]);
  }
}
