/** PostgreSQL's binary form of COPY (https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format"). */

/** The signature, flags, and the length of an extension. */
const HEAD_BYTES = 11 + 4 + 4;

/** Copies the bytes of a field that it is given. */
export type TakeField = (data: Buffer, field: number) => void;

/** Reads rows as they come, of which none is cut: a server sends each as a message of its own, the first one behind the head. */
export class CopyRows {
  readonly #take: TakeField;
  readonly #fields: number;
  #begun = false;
  ended = false;

  /** @param fields - so many has each row, all of bytes */
  constructor(take: TakeField, fields: number) {
    this.#take = take;
    this.#fields = fields;
  }

  add(message: Buffer): void {
    let at = this.#begun ? 0 : HEAD_BYTES + message.readInt32BE(HEAD_BYTES - 4);
    this.#begun = true;
    while (at < message.byteLength) {
      const fields = message.readInt16BE(at);
      at += 2;
      this.ended = fields === -1;
      if (this.ended) return;
      if (fields !== this.#fields) throw new Error(`a row of ${fields} fields, where ${this.#fields} belong`);
      for (let field = 0; field < fields; field++) {
        const length = message.readInt32BE(at);
        const end = at + 4 + length;
        if (length < 0 || end > message.byteLength) throw new Error('a field without all its bytes');
        this.#take(message.subarray(at + 4, end), field);
        at = end;
      }
    }
  }
}
