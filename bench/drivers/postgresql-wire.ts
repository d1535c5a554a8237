/** What PostgreSQL understands in binary: arrays as parameters, and rows for COPY and from it. */
import type { Connection } from 'pg';

const INT4 = 23;
const INT8 = 20;
const BYTEA = 17;
const TEXT = 25;

const HEAD = 20;

/** An array of one dimension: its head, then each element behind its length. */
function array(type: number, count: number, bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(HEAD + 4 * count + bytes);
  buffer.writeInt32BE(1, 0);
  buffer.writeInt32BE(0, 4); // no NULLs
  buffer.writeInt32BE(type, 8);
  buffer.writeInt32BE(count, 12);
  buffer.writeInt32BE(1, 16); // counted from 1
  return buffer;
}

export function int4Array(values: readonly number[]): Buffer {
  const buffer = array(INT4, values.length, 4 * values.length);
  let at = HEAD;
  for (const value of values) at = buffer.writeInt32BE(value, buffer.writeInt32BE(4, at));
  return buffer;
}

export function int8Array(values: readonly number[]): Buffer {
  const buffer = array(INT8, values.length, 8 * values.length);
  let at = HEAD;
  for (const value of values) {
    at = buffer.writeInt32BE(8, at);
    at = buffer.writeInt32BE(Math.floor(value / 2 ** 32), at);
    at = buffer.writeUInt32BE(value >>> 0, at);
  }
  return buffer;
}

export function byteaArray(values: readonly Uint8Array[]): Buffer {
  return bytesArray(BYTEA, values);
}

export function textArray(values: readonly string[]): Buffer {
  return bytesArray(
    TEXT,
    values.map((value) => Buffer.from(value)),
  );
}

function bytesArray(type: number, values: readonly Uint8Array[]): Buffer {
  const buffer = array(
    type,
    values.length,
    values.reduce((sum, { byteLength }) => sum + byteLength, 0),
  );
  let at = HEAD;
  for (const value of values) {
    at = buffer.writeInt32BE(value.byteLength, at);
    buffer.set(value, at);
    at += value.byteLength;
  }
  return buffer;
}

/** What `pg` has for COPY, unknown to its types. */
interface CopyWire extends Connection {
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sendCopyFail(reason: string): void;
}

const SIGNATURE = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);
const END = Buffer.from([0xff, 0xff]);
/** Rows with less go together. */
const SMALL_BYTES = 64 * 1024;

/** The beginning of a row of COPY, up to the last field's bytes, which follow. */
function rowHead(fields: readonly Uint8Array[], lastBytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(2 + 4 + fields.reduce((sum, { byteLength }) => sum + 4 + byteLength, 0));
  let at = buffer.writeInt16BE(fields.length + 1, 0);
  for (const field of fields) {
    at = buffer.writeInt32BE(field.byteLength, at);
    buffer.set(field, at);
    at += field.byteLength;
  }
  buffer.writeInt32BE(lastBytes, at);
  return buffer;
}

/** One COPY, to be given to `client.query`. */
abstract class Copy {
  readonly #sql: string;
  readonly #end = Promise.withResolvers<void>();

  constructor(sql: string) {
    this.#sql = sql;
  }

  get done(): Promise<void> {
    return this.#end.promise;
  }

  submit(connection: Connection): void {
    (connection as CopyWire).query(this.#sql);
  }

  handleError(error: Error): void {
    this.#end.reject(error);
  }

  handleReadyForQuery(): void {
    this.#end.resolve();
  }

  handleCommandComplete(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleCopyInResponse(_connection: Connection): void {}
  handleCopyData(_message: { chunk: Buffer }): void {}
}

export interface CopyRow {
  fields: readonly Uint8Array[];
  /** A `Buffer`, since `pg` uses what only those have. */
  data: Buffer;
}

export class CopyIn extends Copy {
  readonly #rows: Iterable<CopyRow>;

  constructor(table: string, rows: Iterable<CopyRow>) {
    super(`COPY ${table} FROM STDIN (FORMAT binary)`);
    this.#rows = rows;
  }

  override handleCopyInResponse(connection: Connection): void {
    const wire = connection as CopyWire;
    this.#send(wire).catch((error: Error) => wire.sendCopyFail(error.message));
  }

  async #send(wire: CopyWire): Promise<void> {
    const { stream } = wire;
    let small: Buffer[] = [SIGNATURE];
    let gathered = 0;
    const flush = () => {
      wire.sendCopyFromChunk(Buffer.concat(small));
      [small, gathered] = [[], 0];
    };
    for (const { fields, data } of this.#rows) {
      small.push(rowHead(fields, data.byteLength));
      if (data.byteLength < SMALL_BYTES) {
        small.push(data);
        gathered += data.byteLength;
        if (gathered < SMALL_BYTES) continue;
      }
      flush();
      if (data.byteLength >= SMALL_BYTES) wire.sendCopyFromChunk(data);
      if (stream.writableNeedDrain) await new Promise((resolve) => stream.once('drain', resolve));
    }
    small.push(END);
    flush();
    wire.endCopyFrom();
  }
}

/** Of a query of one column of bytes: each row as it comes, to be copied by whom it is given to. */
export class CopyOut extends Copy {
  readonly #take: (data: Buffer) => void;
  #isFirst = true;

  constructor(query: string, take: (data: Buffer) => void) {
    super(`COPY (${query}) TO STDOUT (FORMAT binary)`);
    this.#take = take;
  }

  override handleCopyData({ chunk }: { chunk: Buffer }): void {
    const row = this.#isFirst ? chunk.subarray(SIGNATURE.byteLength) : chunk;
    this.#isFirst = false;
    if (row.byteLength >= 6) this.#take(row.subarray(6, 6 + row.readInt32BE(2)));
  }
}
