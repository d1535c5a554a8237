/** What a document has that waits for updates which are not there yet: Yjs tells nobody that it came. */
import type { YjsDoc } from './yjs.ts';

export class Pending {
  readonly #doc: YjsDoc;
  #seen: readonly unknown[] = [null, null];

  constructor(doc: YjsDoc) {
    this.#doc = doc;
  }

  /** Whether there is other than at the last call. */
  hasChanged(): boolean {
    const { pendingStructs, pendingDs } = this.#doc.store;
    const before = this.#seen;
    this.#seen = [pendingStructs, pendingDs];
    return this.#seen.some((one, index) => one !== before[index]);
  }
}
