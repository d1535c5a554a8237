/** A document that the server has open: what is stored is applied to it, and each change of it is stored. */
import type { SDS_PersistenceError } from '../main/index.ts';
import type { YjsDoc } from '../protocol/yjs.ts';
import { type Opening, StoredDocument } from '../yjs/stored-document.ts';
import { isFromRedis } from './hocuspocus.ts';

export class OpenDocument extends StoredDocument<YjsDoc> {
  readonly #takesFromRedis: boolean;
  #callback: (() => void) | undefined;
  /** Transactions that began while something waited, which they may make part of the document. */
  readonly #mayIntegrate = new WeakSet<object>();
  /** Whether something is left to other servers to be stored, any of which may be killed before. */
  #leavesSomething = false;
  /** The state vector of what nobody else has to store. */
  #settled: Uint8Array | undefined;

  /** @param takesFromRedis - whether changes of other servers are stored, too; docs/hocuspocus.md has what it costs in one database */
  constructor(opening: Opening<YjsDoc>, takesFromRedis: boolean) {
    super(opening);
    this.#takesFromRedis = takesFromRedis;
    if (!takesFromRedis) this.doc.on('beforeTransaction', this.#onTransaction);
  }

  #onTransaction = (transaction: object): void => {
    if (this.lacksWaiting) this.#mayIntegrate.add(transaction);
  };

  protected override append(update: Uint8Array, origin?: unknown, transaction: object = {}): void {
    const isOfOthers = !this.#takesFromRedis && isFromRedis(origin) && !this.#mayIntegrate.has(transaction);
    if (isOfOthers) this.#leavesSomething = true;
    else super.append(update);
  }

  override apply(updates: readonly Uint8Array[]): void {
    super.apply(updates);
    this.#isSettled();
  }

  /** The document would not be what it was: it is not opened. Where it is open, a store that was lost and is had again is at fault. */
  protected override isNotApplied(error: SDS_PersistenceError): void {
    if (this.#settled === undefined) throw error;
    super.isNotApplied(error);
  }

  #isSettled(): void {
    this.#leavesSomething = false;
    this.#settled = this.Y.encodeStateVector(this.doc as never);
  }

  /**
   * Appends what nobody was told of, such as what waits for updates that never came, and all that came since the document was loaded
   * if some of that was left to other servers: what was changed here may build on it.
   */
  #appendRest(): void {
    if (!this.hasUntold && !this.#leavesSomething) return;
    this.appendAll(this.#settled);
    this.#isSettled();
  }

  /** Resolves once what was changed is stored; what waits for other updates, and what other servers store, has time until it is unloaded. */
  async storeChanged(): Promise<void> {
    if (this.isMute) this.#appendRest();
    await this.log.flush();
  }

  /** Resolves once all of it is stored, with what waits for other updates, and what was left to other servers. */
  async storeAll(): Promise<void> {
    this.#appendRest();
    await this.log.flush();
  }

  override removeStored(): Promise<void> {
    this.#leavesSomething = false;
    return super.removeStored();
  }

  /**
   * Calls back once all of it is stored, after a call that has failed to do so. Of those that are given meanwhile it is the last one that
   * tells of a change, by which a server comes to unload the document as well; else the first one.
   */
  async onceStored(callback: () => void, tellsOfChange: boolean): Promise<void> {
    const isWaiting = this.#callback !== undefined;
    if (!isWaiting || tellsOfChange) this.#callback = callback;
    if (isWaiting) return;
    await this.log.completed();
    const last = this.#callback;
    this.#callback = undefined;
    if (!this.isLeaving) last?.();
  }

  /** Where the document lives on, a change of it is rejected after that (`closed`), which its log says. */
  protected async release(): Promise<void> {
    try {
      this.#appendRest(); // which came since, or nobody has unloaded the document
    } finally {
      await this.documents.close(this.log);
    }
  }
}
