/** PostgreSQL's binary form of COPY (https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format"). */

/** The signature, flags, and the length of an extension. */
const HEAD_BYTES = 11 + 4 + 4;

/** Copies the bytes of a field that it is given. */
export type TakeField = (data: Buffer, field: number) => void;

/** Reads rows out of a stream that may be cut anywhere. */
export class CopyRows {
  readonly #take: TakeField;
  readonly #fields: number;
  #rest: Buffer | undefined;
  #begun = false;
  /** Whether the end has come. */
  ended = false;

  /** @param fields - so many has each row, all of bytes */
  constructor(take: TakeField, fields: number) {
    this.#take = take;
    this.#fields = fields;
  }

  add(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    if (!this.#begun && bytes.byteLength >= HEAD_BYTES) {
      this.#begun = true;
      at = HEAD_BYTES + bytes.readInt32BE(HEAD_BYTES - 4);
    }
    while (this.#begun && !this.ended && at + 2 <= bytes.byteLength) {
      const fields = bytes.readInt16BE(at);
      if (fields === -1) {
        this.ended = true;
        break;
      }
      if (fields !== this.#fields) throw new Error(`a row of ${fields} fields, where ${this.#fields} belong`);
      const row: Buffer[] = [];
      let end = at + 2;
      while (row.length < fields && end + 4 <= bytes.byteLength) {
        const length = bytes.readInt32BE(end);
        if (length < 0) throw new Error('a field without bytes, where bytes belong');
        row.push(bytes.subarray(end + 4, end + 4 + length));
        end += 4 + length;
      }
      if (row.length < fields || end > bytes.byteLength) break;
      for (const [field, data] of row.entries()) this.#take(data, field);
      at = end;
    }
    // a copy: what `pg` passes is overwritten by what comes next
    this.#rest = at < bytes.byteLength && !this.ended ? Buffer.from(bytes.subarray(at)) : undefined;
  }
}
