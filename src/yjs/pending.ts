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

  /** Whether there is other than at the last call. */
  hasChanged(): boolean {
    const { pendingStructs, pendingDs } = this.#doc.store;
    const before = this.#seen;
    this.#seen = [pendingStructs, pendingDs];
    return this.#seen.some((one, index) => one !== before[index]);
  }

  /** What there is now is removed along with what is stored; if that fails, it is to be stored. */
  async removedWith(removal: Promise<void>): Promise<void> {
    this.hasChanged();
    try {
      await removal;
    } catch (error) {
      this.#seen = NOTHING;
      throw error;
    }
  }
}
