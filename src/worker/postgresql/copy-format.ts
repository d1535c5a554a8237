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

/** Copies the bytes of a field that it is given. */
export type TakeField = (data: Buffer, field: number) => void;

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

/** Reads rows out of a stream that may be cut anywhere. */
export class CopyRows {
  readonly #take: TakeField;
  readonly #fields: number;
  #rest: Buffer | undefined;
  #begun = false;
  #ended = false;

  /** @param fields - so many has each row, all of bytes */
  constructor(take: TakeField, fields: number) {
    this.#take = take;
    this.#fields = fields;
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
      if (fields !== this.#fields) throw new Error(`a row of ${fields} fields, where ${this.#fields} belong`);
      const end = this.#endOfRow(bytes, at + 2);
      if (end > bytes.byteLength) break;
      this.#takeRow(bytes, at + 2);
      at = end;
    }
    // a copy: what `pg` passes is overwritten by what comes next
    this.#rest = at < bytes.byteLength && !this.#ended ? Buffer.from(bytes.subarray(at)) : undefined;
  }

  /** Where a row ends whose fields begin there; infinitely far away if that is not known yet. */
  #endOfRow(bytes: Buffer, start: number): number {
    let at = start;
    for (let field = 0; field < this.#fields; field++) {
      if (at + 4 > bytes.byteLength) return Number.POSITIVE_INFINITY;
      const length = bytes.readInt32BE(at);
      if (length < 0) throw new Error('a field without bytes, where bytes belong');
      at += 4 + length;
    }
    return at;
  }

  #takeRow(bytes: Buffer, start: number): void {
    let at = start;
    for (let field = 0; field < this.#fields; field++) {
      const end = at + 4 + bytes.readInt32BE(at);
      this.#take(bytes.subarray(at + 4, end), field);
      at = end;
    }
  }

  /** Whether the end has come. */
  get ended(): boolean {
    return this.#ended;
  }
}
