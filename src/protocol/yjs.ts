/** What is used of Yjs, 13 or 14. It is handed in and never imported: documents of two Yjs in one process don't fit together. */

/** What an empty document is as an update. */
export const EMPTY_BYTES = 2;

type UpdateListener = (update: Uint8Array, origin: unknown, doc: unknown, transaction: object) => void;

/** A `Y.Doc`. */
export interface YjsDoc {
  readonly gc: boolean;
  readonly isDestroyed?: boolean;
  readonly isLoaded?: boolean;
  /** What is applied but waits for updates that are not there yet. */
  readonly store: {
    readonly pendingStructs: { readonly update: Uint8Array } | null;
    readonly pendingDs: Uint8Array | null;
  };
  /** Transactions that are not finished. */
  readonly _transactionCleanups?: readonly unknown[];
  /** Which of what was deleted is dropped; each document has one. */
  gcFilter?(item?: unknown): boolean;
  transact(change: () => void, origin?: unknown): unknown;
  on(event: 'beforeTransaction', listener: (transaction: object) => void): unknown;
  on(event: 'update', listener: UpdateListener): unknown;
  on(event: 'destroy', listener: () => void): unknown;
  off(event: 'update', listener: UpdateListener): unknown;
  off(event: 'destroy', listener: () => void): unknown;
  emit(event: 'load', given: [never]): unknown;
  destroy(): void;
}

/** The module `yjs`. */
export interface YjsModule<Doc> {
  readonly Doc: new (options?: { gc?: boolean }) => Doc;
  applyUpdate(doc: NoInfer<Doc>, update: Uint8Array, origin?: unknown): void;
  encodeStateAsUpdate(doc: NoInfer<Doc>, stateVector?: Uint8Array): Uint8Array;
  /** It takes other things as well, of which the compiler would say that they are no documents. */
  encodeStateVector(doc: never): Uint8Array;
}

export const READ_AS_NOTHING =
  'read as an update of Yjs with nothing in it; if it is one of version 2, convert it by Y.convertUpdateFormatV2ToV1';

/**
 * Whether Yjs reads an update as one with nothing in it, though there is more: as each of version 2, which begins with a 0, as
 * one without structs does; but what follows is no set of deletions that ends where the bytes do.
 */
export function isReadAsNothing(update: Uint8Array): boolean {
  if (update[0] !== 0) return false;
  let at = 1;
  const next = () => {
    for (let number = 0, factor = 1; ; factor *= 128) {
      const byte = update[at++] ?? 0;
      number += (byte & 127) * factor;
      if (byte < 128) return number;
    }
  };
  for (let clients = next(); clients > 0 && at < update.length; clients--) {
    next(); // its id
    for (let deletions = next(); deletions > 0 && at < update.length; deletions--) {
      next(); // from where
      next(); // how many
    }
  }
  return at < update.length;
}

/** @throws whatever Yjs throws, and what it would pass over */
export function applyStored<Doc extends YjsDoc>(
  Y: YjsModule<Doc>,
  doc: NoInfer<Doc>,
  update: Uint8Array,
  origin?: unknown,
): void {
  if (isReadAsNothing(update)) throw new TypeError(`one of them is ${READ_AS_NOTHING}`);
  Y.applyUpdate(doc, update, origin);
}

/** Whether all that was deleted of it may be dropped, also where its filter does not run: one that takes an item keeps some. */
export function dropsDeleted(doc: YjsDoc): boolean {
  if (!doc.gc || doc.gcFilter === undefined) return doc.gc;
  return doc.gcFilter.length === 0 && doc.gcFilter();
}
