/** An editing session: what was typed, pasted and deleted, in order, and the text that comes out. */

/** Position, number of characters deleted there, text inserted there. Counted in UTF-16 units, as strings and Yjs do. */
export type Edit = readonly [position: number, deleted: number, inserted: string];

/** Bytes of a length, told from others by a number: a session that names them is as short as one without. */
export interface Binary {
  bytes: number;
  seed: number;
}

/** Edits that are made at once: they become one Yjs transaction, which is one update, which is one patch. */
export interface Transaction {
  edits: readonly Edit[];
  /** How long the typist hesitated before, in units of any size: only the proportions count. */
  pause: number;
  /** Put into the document in the same transaction, so a part of its patch, and of each snapshot from then on. */
  picture?: Binary;
  /** Stored beside the document by its hash, just after the transaction. */
  value?: Binary;
}

export interface Session {
  /** What it is, in words, for the output. */
  title: string;
  transactions: Transaction[];
  /** What the document must be in the end, worked out on a plain string, without Yjs. */
  text: string;
}

/** Applies an edit to a plain string. */
export function applyEdit(text: string, [position, deleted, inserted]: Edit): string {
  return text.slice(0, position) + inserted + text.slice(position + deleted);
}
