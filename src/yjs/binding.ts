/** A document that is bound: it is in use before it is loaded, and until all of it is stored. */
import { GrowingPause, mayPass } from '../documents/index.ts';
import type { YjsDoc } from '../protocol/yjs.ts';
import { type Opening, StoredDocument } from './stored-document.ts';

/** How often what came while a document was stored is stored as well before its log is closed. */
const MOST_ROUNDS = 3;

export class Binding<Doc extends YjsDoc> extends StoredDocument<Doc> {
  readonly #heir: () => Binding<Doc> | undefined;
  readonly #destroyed: () => void;
  readonly #untilStored = new GrowingPause();
  #isLast = false;
  /** Whether somebody waits until it is stored: the process lives on for that, unless it is in vain. */
  #isWaitedFor = false;
  /** Whether the document was changed since that was stored which it had. */
  #hasChanged = false;

  /**
   * @param heir - finds another document of this name that is bound
   * @param destroyed - called when the document is destroyed
   */
  constructor(opening: Opening<Doc>, heir: () => Binding<Doc> | undefined, destroyed: () => void) {
    super(opening);
    this.#heir = heir;
    this.#destroyed = destroyed;
    this.doc.on('destroy', destroyed);
  }

  /** As Yjs asks of whoever loads a document: its `whenLoaded` resolves by that. */
  override apply(updates: readonly Uint8Array[]): void {
    super.apply(updates);
    if (this.doc.isLoaded === false) this.doc.emit('load', [this.doc as never]);
  }

  protected override append(update: Uint8Array): void {
    this.#hasChanged = true;
    super.append(update);
  }

  // ---- leaving ---------------------------------------------------------------------------------

  /** Resolves once all of it is stored, however long that takes, and its store released; or another document has its state. */
  override leave(isWaitedFor = false): Promise<void> {
    if (isWaitedFor && !this.#isWaitedFor) {
      this.#isWaitedFor = true;
      this.#untilStored.end(); // the process might end in it
    }
    return super.leave();
  }

  /** The same, but one attempt has to do. A change of the document is rejected after that (`closed`), which its log says. */
  leaveNow(): Promise<void> {
    this.#isLast = true;
    this.#untilStored.end();
    return this.leave(true);
  }

  /** Another document of this name has come. If this one can't be stored, that one will have to be. */
  heirCame(): void {
    if (this.#heir()?.doc === this.doc) this.doc.off('update', this.onUpdate); // it has all of it, and what comes
    if (this.log.isIncomplete) this.#untilStored.end();
  }

  protected async release(): Promise<void> {
    try {
      await this.#storeAll();
    } catch (error) {
      if (this.#isLast) throw error;
      this.documents.trouble.tell('write', this.log.name, error); // it can't be encoded, of which its log knows nothing
    } finally {
      this.doc.off('destroy', this.#destroyed);
      await this.#close();
    }
  }

  async #storeAll(): Promise<void> {
    for (let round = 1; ; round++) {
      if (this.hasUntold) this.appendAll();
      this.#hasChanged = false;
      await this.#store();
      // it came meanwhile; whoever goes on changing a document that is left is told what is not stored
      const goesOn = this.hasUntold || (this.#hasChanged && !this.#isLast);
      if (!goesOn || round === MOST_ROUNDS) return;
    }
  }

  async #close(): Promise<void> {
    try {
      await this.documents.close(this.log);
    } catch (error) {
      if (this.#isLast) throw error; // else another document has it, or it came since, and was told by the log
    } finally {
      if (!this.#isLast) this.doc.off('update', this.onUpdate);
    }
  }

  /** Until all is stored, or another document has it; the last attempt is the end of the log itself. */
  async #store(): Promise<void> {
    while (!this.#isLast && !this.log.isClosing) {
      try {
        return await this.log.flush();
      } catch (error) {
        if (this.#handOver()) return; // else it is tried again, as was told by the log
        if (!this.#isLast) await this.#untilStored.next(this.#isWaitedFor && mayPass(error));
      }
    }
  }

  #handOver(): boolean {
    const heir = this.#heir();
    if (heir === undefined) return false;
    const state = this.state();
    try {
      this.Y.applyUpdate(heir.doc, state);
    } catch (error) {
      this.documents.trouble.tell('write', this.log.name, error); // a listener has thrown, by which nothing may have been applied
      return false;
    }
    this.log.isIncomplete = false; // it is that one's to be stored
    return true;
  }
}
