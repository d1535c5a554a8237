/** A document that is bound: it is in use before it is loaded, and until all of it is stored. */
import { keptAlive, mayPass } from '../documents/index.ts';
import { Promise } from '../protocol/surroundings.ts';
import type { YjsDoc } from '../protocol/yjs.ts';
import { type Opening, StoredDocument } from './stored-document.ts';

/** How often what came while a document was stored is stored as well before its log is closed. */
const MOST_ROUNDS = 3;

export class Binding<Doc extends YjsDoc> extends StoredDocument<Doc> {
  readonly #heir: () => Binding<Doc> | undefined;
  readonly #destroyed: () => void;
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
      if (this.log.isIncomplete) this.log.hurry(); // the process might end before
    }
    return super.leave();
  }

  /** The same, but one attempt has to do. A change of the document is rejected after that (`closed`), which its log says. */
  leaveNow(): Promise<void> {
    if (this.hasUntold) this.appendAll();
    void Promise.allSettled([this.log.close()]); // which is that one; others end
    return this.leave(true);
  }

  /** Another document of this name has come. If this one can't be stored, that one will have to be. */
  heirCame(): void {
    if (this.#heir()?.doc === this.doc) this.doc.off('update', this.onUpdate); // it has all of it, and what comes
    if (this.log.isIncomplete) this.log.hurry();
  }

  protected async release(): Promise<void> {
    const { log } = this;
    for (let round = 1; round <= MOST_ROUNDS && !log.isClosing; round++) {
      if (this.hasUntold) this.appendAll();
      this.#hasChanged = false;
      await this.#store();
      // it came meanwhile; whoever goes on changing a document that is left is told what is not stored
      if (!this.hasUntold && !this.#hasChanged) break;
    }
    this.doc.off('destroy', this.#destroyed);
    const isLast = log.isClosing;
    // what it fails with is told by the log, or by `destroy`, which closes it as well; else another document has it
    await Promise.allSettled([this.documents.close(log)]);
    if (!isLast) this.doc.off('update', this.onUpdate);
  }

  /** Until all is stored, by this attempt or by those of its log, or another document has it, or the log is closed. */
  async #store(): Promise<void> {
    const { log } = this;
    if (log.isIncomplete) log.hurry();
    let tried: Promise<unknown> | undefined = log.isIncomplete ? log.attempt : log.flush();
    do {
      // what it fails with was told by the log
      await Promise.allSettled([this.#isWaitedFor && mayPass(log.failure) ? keptAlive(tried) : tried]);
      tried = log.attempt;
    } while (log.isIncomplete && !log.isClosing && !this.#handOver());
  }

  #handOver(): boolean {
    const heir = this.#heir();
    if (heir === undefined) return false;
    const state = this.state();
    try {
      this.Y.applyUpdate(heir.doc, state);
    } catch (error) {
      this.documents.trouble.tell('write', this.log.name, error); // an observer has thrown: that document has it all the same
    }
    return true;
  }
}
