/** The patches or the records of stores in a PostgreSQL database: counted, read and digested in pages of their order. */
import { textArray } from '../../postgresql/arrays.ts';
import type { CopyConnection } from './copy-connection.ts';
import { digestOfRows, sha256Of } from './digest.ts';
import type { RowsPrint, StoredRow } from './ends.ts';
import { BYTES_A_READ } from './pieces.ts';

/** Not all in one query: it would take minutes without a word. */
const ROWS_A_PAGE = 20_000;
const ROWS_A_READ = 4096;

/** How the rows of a table are put in order within a store, and told apart. */
interface RowKind {
  table: string;
  order: string;
  /** A row's position in that order as one value, the greatest of which is that of the last row. */
  position: string;
  /** The values of the columns by which it is ordered, from a parameter or literal that is a position. */
  valuesOf: (parameter: string) => string;
  beforeAll: string;
  /** As which bytes it is read and what these stand for, and as which it is digested: see `addDigest`. */
  name: string;
  nameOf: (text: string) => number | string;
  digestedName: string;
}

const WHOLE_KEY = 'coalesce(long_key, key)';
const DIGITS = 19;

export const patchRows: RowKind = {
  table: 'sds_patches',
  order: 'clock',
  position: 'clock',
  valuesOf: (parameter) => `${parameter}::bigint`,
  beforeAll: '-9223372036854775808', // also before rows that another program has added
  name: "convert_to(clock::text, 'UTF8')",
  nameOf: Number,
  digestedName: 'clock::text',
};

/** Records that several processes make at the same time may have the same position. */
export const recordRows: RowKind = {
  table: 'sds_records',
  order: 'position, key',
  position: `lpad(position::text, ${DIGITS}, '0') || encode(key, 'hex') COLLATE "C"`,
  valuesOf: (parameter) =>
    `substr(${parameter}, 1, ${DIGITS})::bigint, decode(substr(${parameter}, ${DIGITS + 1}), 'hex')`,
  beforeAll: '0'.repeat(DIGITS),
  name: WHOLE_KEY,
  nameOf: String,
  digestedName: sha256Of(WHOLE_KEY),
};

/**
 * The rows of all stores, counted in pages: a store may come several times, with other rows.
 *
 * @param stores - if so, those of these alone, with digests to be added up, for which all bytes are read. Of one there may be any number
 * of rows; several of them are small
 */
export async function* printRows(
  server: CopyConnection,
  { table, order, position, valuesOf, beforeAll, digestedName }: RowKind,
  stores?: readonly string[],
): AsyncGenerator<[store: string, RowsPrint]> {
  const where =
    stores === undefined
      ? `(store_id, ${order}) > ($1, ${valuesOf('$2')})`
      : `store_id = ANY($4::text[]) AND (${order}) > (${valuesOf('$2')})`;
  const values = stores === undefined ? [] : [textArray(stores)];
  const digest = stores === undefined ? '0' : digestOfRows('ordinal', digestedName, 'data');
  const most = stores === undefined || stores.length === 1 ? ROWS_A_PAGE : 'ALL';
  for (let [after, before] = [['', beforeAll], '0']; ; ) {
    const rows = await server.rows(
      `SELECT store_id, max(${position}), max(ordinal), count(*), sum(octet_length(data)), ${digest} FROM (` +
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
  { table, order, position, valuesOf, beforeAll, name, nameOf }: RowKind,
  stores: readonly string[],
): AsyncGenerator<StoredRow[]> {
  const isOne = stores.length === 1;
  // as many as begin within a piece
  const bytesBefore = `sum(octet_length(data)) OVER (ORDER BY store_id, ${order}) - octet_length(data)`;
  const columns = ["convert_to(store_id, 'UTF8')", `convert_to((${position})::text, 'UTF8')`, name, 'data'];
  for (let after = beforeAll; ; ) {
    const rows: StoredRow[] = [];
    await server.use((connection) => {
      const literal = (text: string) => connection.escapeLiteral(text);
      const those =
        `FROM (SELECT *, ${bytesBefore} AS before FROM (SELECT * FROM ${table} ` +
        `WHERE store_id = ANY(ARRAY[${stores.map(literal).join()}]::text[]) AND (${order}) > (${valuesOf(literal(after))}) ` +
        `ORDER BY store_id, ${order} LIMIT ${isOne ? ROWS_A_READ : 'ALL'}) AS page) AS pieces ` +
        `${isOne ? `WHERE before < ${BYTES_A_READ} ` : ''}ORDER BY store_id, ${order}`;
      const texts: string[] = [];
      return connection.read(columns, those, (bytes, field) => {
        if (field < 3) texts[field] = bytes.toString();
        else rows.push({ store: String(texts[0]), name: nameOf(String(texts[2])), data: Buffer.from(bytes) });
        if (field === 1) after = String(texts[1]);
      });
    });
    if (rows.length > 0) yield rows;
    if (!isOne || rows.length === 0) return;
  }
}
