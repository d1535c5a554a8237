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

function begin(elements: number, type: number, bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(ARRAY_HEADER + elements * 4 + bytes);
  writeArrayHeader(buffer, elements, type);
  return buffer;
}

/** As a parameter of the type `bigint[]`; safe integers. */
export function int8Array(values: readonly number[]): Buffer {
  const buffer = begin(values.length, INT8, values.length * 8);
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
  const bytes = texts.map((text) => Buffer.byteLength(text));
  const buffer = begin(
    texts.length,
    TEXT,
    bytes.reduce((sum, length) => sum + length, 0),
  );
  let at = ARRAY_HEADER;
  for (const [index, text] of texts.entries()) {
    at = buffer.writeInt32BE(bytes[index] ?? 0, at);
    at += buffer.write(text, at);
  }
  return buffer;
}

/** As a parameter of the type `bytea[]`. */
export function byteaArray(values: readonly Buffer[]): Buffer {
  const buffer = begin(
    values.length,
    BYTEA,
    values.reduce((sum, { byteLength }) => sum + byteLength, 0),
  );
  let at = ARRAY_HEADER;
  for (const value of values) {
    at = buffer.writeInt32BE(value.byteLength, at);
    at += value.copy(buffer, at);
  }
  return buffer;
}
