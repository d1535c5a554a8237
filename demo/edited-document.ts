/** A Yjs document with one text and a list of pictures, edited transaction by transaction; each makes one update. */
import * as Y from 'yjs';
import { bytesOf } from './binaries.ts';
import type { Binary, Transaction } from './session.ts';

/** Yjs draws 32 random bits for each editor; these are fixed, so that the updates are the same in every run. */
const CLIENT_ID = 0x9e3779b9;

export class EditedDocument {
  readonly #doc = new Y.Doc();
  readonly #text = this.#doc.getText();
  readonly #pictures = this.#doc.getArray<Uint8Array>('pictures');
  readonly #made = new Map<Binary, Uint8Array>();

  /** @param onUpdate gets each update as it happens, before the edit that makes it returns */
  constructor(onUpdate: (update: Uint8Array) => void) {
    this.#doc.clientID = CLIENT_ID;
    this.#doc.on('update', (update: Uint8Array) => onUpdate(update));
  }

  /** Makes the bytes of pictures that will come, so that it takes no time when they do. */
  prepare(transactions: readonly Transaction[]): void {
    for (const { picture } of transactions) if (picture !== undefined) this.#made.set(picture, bytesOf(picture));
  }

  edit(transaction: Transaction): void {
    const { picture } = transaction;
    this.#doc.transact(() => {
      for (const [position, deleted, inserted] of transaction.edits) {
        if (deleted > 0) this.#text.delete(position, deleted);
        if (inserted !== '') this.#text.insert(position, inserted);
      }
      if (picture !== undefined) this.#pictures.push([this.#made.get(picture) ?? bytesOf(picture)]);
    });
  }

  snapshot(): Uint8Array {
    return Y.encodeStateAsUpdate(this.#doc);
  }
}
