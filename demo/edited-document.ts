/** A Yjs document with one text, edited transaction by transaction; each makes one update. */
import * as Y from 'yjs';
import type { Transaction } from './session.ts';

/** Yjs draws 32 random bits for each editor; these are fixed, so that the updates are the same in every run. */
const CLIENT_ID = 0x9e3779b9;

export class EditedDocument {
  readonly #doc = new Y.Doc();
  readonly #text = this.#doc.getText();

  /** @param onUpdate gets each update as it happens, before the edit that makes it returns */
  constructor(onUpdate: (update: Uint8Array) => void) {
    this.#doc.clientID = CLIENT_ID;
    this.#doc.on('update', (update: Uint8Array) => onUpdate(update));
  }

  edit(transaction: Transaction): void {
    this.#doc.transact(() => {
      for (const [position, deleted, inserted] of transaction.edits) {
        if (deleted > 0) this.#text.delete(position, deleted);
        if (inserted !== '') this.#text.insert(position, inserted);
      }
    });
  }

  snapshot(): Uint8Array {
    return Y.encodeStateAsUpdate(this.#doc);
  }
}
