/** The messages between editors and servers: a byte for the kind, four for an edit's number, then bytes of Yjs. */

export const kinds = {
  /** Editor: "this is what I have", a state vector; the server answers with `missing`. */
  hello: 0,
  /** Server: what the editor lacks. From now on it may send edits. */
  missing: 1,
  /** Editor: what it has typed, under a number of its own. */
  edit: 2,
  /** Server: the edit with this number is in the database. */
  durable: 3,
  /** Server: what somebody else has typed; it is in the database as well. */
  update: 4,
} as const;

/** Why a server ends a connection. In each case the editor looks for a server anew. */
export const closeCodes = {
  goingAway: 1001,
  notUnderstood: 1007,
  failed: 1011,
  /** Another server has the document. */
  elsewhere: 4001,
} as const;

export interface Message {
  kind: number;
  number: number;
  bytes: Uint8Array;
}

const HEAD = 5;

export function encode(kind: number, number: number, bytes: Uint8Array = new Uint8Array()): Uint8Array {
  const message = new Uint8Array(HEAD + bytes.byteLength);
  const view = new DataView(message.buffer);
  view.setUint8(0, kind);
  view.setUint32(1, number);
  message.set(bytes, HEAD);
  return message;
}

/** @throws RangeError at bytes that are no message */
export function decode(message: Uint8Array): Message {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  return { kind: view.getUint8(0), number: view.getUint32(1), bytes: message.subarray(HEAD) };
}
