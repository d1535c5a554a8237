/**
 * PostgreSQL's binary form of COPY (https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format"), and the
 * message that carries it (https://www.postgresql.org/docs/current/protocol-message-formats.html, "CopyData").
 */

/** A row that begins with texts and a number and ends with bytes. */
export interface CopyRow {
  texts: readonly string[];
  number: number;
  data: Buffer;
}

const signature = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');

/** The signature, no flags, no extension. */
export const copyHead: Buffer = Buffer.concat([signature, Buffer.alloc(8)]);
export const copyEnd: Buffer = Buffer.from([0xff, 0xff]);

/** All of a row but the bytes of its last field. */
export function copyRowHead({ texts, number, data }: CopyRow): Buffer {
  const head: Buffer[] = [int16(texts.length + 2)];
  for (const text of texts) {
    const bytes = Buffer.from(text);
    head.push(int32(bytes.byteLength), bytes);
  }
  head.push(int32(4), int32(number), int32(data.byteLength));
  return Buffer.concat(head);
}

const COPY_DATA = Buffer.from('d');

/** A message with these bytes and as many as `following`, which are written after it from where they lie. */
export function copyData(bytes: Buffer, following = 0): Buffer {
  return Buffer.concat([COPY_DATA, int32(4 + bytes.byteLength + following), bytes]);
}

function int16(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32BE(value);
  return bytes;
}

const ROW_HEAD = 6;

/** Reads rows of one column out of a stream that may be cut anywhere. */
export class CopyRows {
  readonly #take: (data: Buffer) => void;
  #rest: Buffer | undefined;
  #begun = false;
  #ended = false;

  constructor(take: (data: Buffer) => void) {
    this.#take = take;
  }

  add(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    if (!this.#begun && bytes.byteLength >= copyHead.byteLength) {
      this.#begun = true;
      at = copyHead.byteLength + bytes.readInt32BE(copyHead.byteLength - 4);
    }
    while (this.#begun && !this.#ended && at + 2 <= bytes.byteLength) {
      const fields = bytes.readInt16BE(at);
      if (fields === -1) {
        this.#ended = true;
        break;
      }
      if (at + ROW_HEAD > bytes.byteLength) break;
      const length = bytes.readInt32BE(at + 2);
      if (fields !== 1 || length < 0)
        throw new Error(`a row of ${fields} fields, of ${length} bytes, where one of bytes belongs`);
      if (at + ROW_HEAD + length > bytes.byteLength) break;
      this.#take(bytes.subarray(at + ROW_HEAD, at + ROW_HEAD + length));
      at += ROW_HEAD + length;
    }
    // a copy: what `pg` passes is overwritten by what comes next
    this.#rest = at < bytes.byteLength && !this.#ended ? Buffer.from(bytes.subarray(at)) : undefined;
  }

  /** Whether the end has come. */
  get ended(): boolean {
    return this.#ended;
  }
}
