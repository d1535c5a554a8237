/**
 * Arrays as parameters, in PostgreSQL's binary form (`array_recv` in its source): a header, then length and value of each. The
 * server reads them faster than text, and no string is made for each number here.
 */

export const ARRAY_HEADER = 20;
/** Types by their number in `pg_type`, which is the same in every database. */
export const BYTEA = 17;
const INT8 = 20;
const TEXT = 25;

export function writeArrayHeader(buffer: Buffer, elements: number, type: number): void {
  buffer.writeInt32BE(1, 0); // dimensions
  buffer.writeInt32BE(0, 4); // no NULL in it
  buffer.writeInt32BE(type, 8);
  buffer.writeInt32BE(elements, 12);
  buffer.writeInt32BE(1, 16); // the first index
}

/** As a parameter of the type `bigint[]`; safe integers. */
export function int8Array(values: readonly number[]): Buffer {
  const buffer = Buffer.allocUnsafe(ARRAY_HEADER + values.length * 12);
  writeArrayHeader(buffer, values.length, INT8);
  let at = ARRAY_HEADER;
  for (const value of values) {
    at = buffer.writeInt32BE(8, at);
    at = buffer.writeInt32BE(Math.floor(value / 2 ** 32), at);
    at = buffer.writeInt32BE(value | 0, at);
  }
  return buffer;
}

/** As a parameter of the type `text[]`. */
export function textArray(texts: readonly string[]): Buffer {
  return byteaArray(
    texts.map((text) => Buffer.from(text)),
    TEXT,
  );
}

/** As a parameter of the type `bytea[]`. */
export function byteaArray(values: readonly Buffer[], type = BYTEA): Buffer {
  const length = values.reduce((sum, { byteLength }) => sum + 4 + byteLength, ARRAY_HEADER);
  const buffer = Buffer.allocUnsafe(length);
  writeArrayHeader(buffer, values.length, type);
  let at = ARRAY_HEADER;
  for (const value of values) {
    at = buffer.writeInt32BE(value.byteLength, at);
    at += value.copy(buffer, at);
  }
  return buffer;
}
