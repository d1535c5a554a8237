/** PostgreSQL's binary form of COPY (https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format"). */

/** The signature, flags, and the length of an extension. */
const HEAD_BYTES = 11 + 4 + 4;

/** Copies the bytes of a field that it is given. */
export type TakeField = (data: Buffer, field: number) => void;

/**
 * Reads rows of so many fields, all of bytes, out of messages as they come. None is cut: a server sends each row as a message, the
 * first one behind the head. Returns whether the end has come.
 */
export function copyReader(take: TakeField, fieldsOfRow: number): (message: Buffer) => boolean {
  let begun = false;
  return (message) => {
    let at = begun ? 0 : HEAD_BYTES + message.readInt32BE(HEAD_BYTES - 4);
    begun = true;
    while (at < message.byteLength) {
      const fields = message.readInt16BE(at);
      at += 2;
      if (fields === -1) return true;
      if (fields !== fieldsOfRow) throw new Error(`a row of ${fields} fields, where ${fieldsOfRow} belong`);
      for (let field = 0; field < fields; field++) {
        const length = message.readInt32BE(at);
        const end = at + 4 + length;
        if (length < 0 || end > message.byteLength) throw new Error('a field without all its bytes');
        take(message.subarray(at + 4, end), field);
        at = end;
      }
    }
    return false;
  };
}
