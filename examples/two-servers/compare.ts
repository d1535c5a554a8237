/** Whether a document in the database is the one that its editors have, and nothing acknowledged is missing. */
import * as Y from 'yjs';

/** What one editor has at the end. */
export interface Copy {
  state: Uint8Array;
  acknowledged: readonly Uint8Array[];
}

export interface Comparison {
  /** Edits that were acknowledged and are not in the database. */
  lost: number;
  /** Whether all copies are the database's, byte for byte. */
  same: boolean;
}

export function compare(stored: Y.Doc, copies: readonly Copy[]): Comparison {
  const state = Buffer.from(Y.encodeStateAsUpdate(stored));
  return {
    lost: copies.reduce((sum, { acknowledged }) => sum + missingOf(acknowledged, state), 0),
    same: copies.every((copy) => state.equals(copy.state)),
  };
}

/** How many of these edits are news to the document. */
function missingOf(edits: readonly Uint8Array[], state: Uint8Array): number {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, state);
  let changes = 0;
  doc.on('update', () => changes++);
  const isNews = (edit: Uint8Array) => {
    const before = { changes, waiting: waitingIn(doc) };
    Y.applyUpdate(doc, edit);
    return changes > before.changes || !waitingIn(doc).equals(before.waiting);
  };
  const missing = edits.filter(isNews).length;
  doc.destroy();
  return missing;
}

/** An edit that refers to one which is missing changes nothing: it waits for it. */
function waitingIn({ store }: Y.Doc): Buffer {
  return Buffer.concat([store.pendingStructs?.update ?? new Uint8Array(), store.pendingDs ?? new Uint8Array()]);
}

/**
 * How many numbers were given by two servers, or by none: each server goes on where the one before it has stopped, and
 * the database ends where the last one did. A number that both have given is a write after the end of the lease.
 */
export function numbersAstray(stays: readonly { found: number; left: number | undefined }[], last: number): number {
  let astray = 0;
  let reached = 0;
  const inOrder = stays
    .map(({ found, left = found }) => ({ found, left }))
    .sort((one, other) => one.found - other.found || one.left - other.left);
  for (const { found, left } of inOrder) {
    astray += Math.abs(found - reached);
    reached = left;
  }
  return astray + Math.abs(last - reached);
}
