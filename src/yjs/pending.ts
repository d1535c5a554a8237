/** What a document has that waits for updates which are not there yet: Yjs tells nobody that it came. */
import type { Promise } from '../protocol/surroundings.ts';
import type { YjsDoc } from './yjs.ts';

const NOTHING: readonly unknown[] = [null, null];

export class Pending {
  readonly #doc: YjsDoc;
  #seen = NOTHING;

  constructor(doc: YjsDoc) {
    this.#doc = doc;
  }

  get #present(): readonly unknown[] {
    const { pendingStructs, pendingDs } = this.#doc.store;
    return [pendingStructs?.update ?? null, pendingDs]; // Yjs adds to the structs by putting another update in there
  }

  /** Whether there is something that is not stored. */
  get isNew(): boolean {
    return this.#present.some((one, index) => one !== this.#seen[index]);
  }

  /** What there is now is stored, with all of the document. */
  isStored(): void {
    this.#seen = this.#present;
  }

  /** Has all of the document stored, if there is something that is not. */
  storedBy(store: () => void): void {
    if (this.isNew) store();
    this.isStored();
  }

  /**
   * Applies what comes from the database, or a part of it. What of it waits is stored already; what has waited for it becomes part of
   * the document, which nobody else tells of: then all of it is stored.
   */
  applied(apply: () => void, store: () => void): void {
    const { isNew } = this;
    try {
      apply();
    } finally {
      if (isNew) store();
      this.isStored();
    }
  }

  /** What there is now is removed along with what is stored; if that fails, it is to be stored. */
  async removedWith(removal: Promise<void>): Promise<void> {
    this.isStored();
    try {
      await removal;
    } catch (error) {
      this.#seen = NOTHING;
      throw error;
    }
  }
}
