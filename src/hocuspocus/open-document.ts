/** A document that the server has open: what is stored is applied to it, and each change of it is stored. */
import { type DocumentLog, type Documents, type Merging, mergeFailed } from '../documents/index.ts';
import type { SDS_PersistenceError } from '../main/index.ts';
import { Pending } from '../yjs/pending.ts';
import { EMPTY_BYTES } from '../yjs/yjs.ts';
import { type HocuspocusDocument, isFromRedis } from './hocuspocus.ts';
import type { Yjs } from './server-yjs.ts';

export class OpenDocument {
  readonly name: string;
  readonly document: HocuspocusDocument;
  readonly log: DocumentLog;
  readonly #Y: Yjs;
  readonly #documents: Documents;
  readonly #origin: object;
  readonly #takesFromRedis: boolean;
  readonly #pending: Pending;
  #callback: (() => void) | undefined;
  /** Transactions that began while something waited, which they may make part of the document. */
  readonly #mayIntegrate = new WeakSet<object>();
  /** Whether something is left to other servers to be stored, any of which may be killed before. */
  #leavesSomething = false;
  /** The state vector of what nobody else has to store. */
  #settled: Uint8Array | undefined;
  #leaving: Promise<void> | undefined;

  /**
   * @param origin - by which changes are known that come from the database
   * @param takesFromRedis - whether changes of other servers are stored, too
   */
  constructor(
    name: string,
    document: HocuspocusDocument,
    Y: Yjs,
    documents: Documents,
    merging: Merging,
    origin: object,
    takesFromRedis: boolean,
  ) {
    this.name = name;
    this.document = document;
    this.#pending = new Pending(document);
    this.#Y = Y;
    this.#documents = documents;
    this.#origin = origin;
    this.#takesFromRedis = takesFromRedis;
    if (!takesFromRedis) document.on('beforeTransaction', this.#onTransaction);
    const live = {
      apply: (updates: readonly Uint8Array[]) => this.#pending.applied(() => this.#apply(updates), this.#appendAll),
      state: () => this.#state(),
    };
    this.log = documents.open(name, merging, live);
    document.on('update', this.#onUpdate); // in the turn of the change: before anybody else hears of it
    const before = this.#state();
    if (before.byteLength > EMPTY_BYTES) void this.log.append(before);
    this.#pending.isStored();
  }

  #state(): Uint8Array {
    return this.#Y.encodeStateAsUpdate(this.document);
  }

  #appendAll = (): void => void this.log.append(this.#state());

  #onTransaction = (transaction: object): void => {
    if (this.#pending.isNew) this.#mayIntegrate.add(transaction);
  };

  #onUpdate = (update: Uint8Array, origin: unknown, _: unknown, transaction: object): void => {
    if (origin === this.#origin) return;
    const isOfOthers = !this.#takesFromRedis && isFromRedis(origin) && !this.#mayIntegrate.has(transaction);
    if (isOfOthers) this.#leavesSomething = true;
    else void this.log.append(update);
  };

  /** @throws SDS_PersistenceError `database-corrupt` if a part can't be applied: the document would not be what it was */
  #apply(updates: readonly Uint8Array[]): void {
    try {
      this.document.transact(() => {
        for (const update of updates) this.#Y.applyUpdate(this.document, update, this.#origin);
      }, this.#origin);
    } catch (error) {
      throw mergeFailed(error as Error);
    }
    this.#isSettled();
  }

  #isSettled(): void {
    this.#leavesSomething = false;
    this.#settled = this.#Y.encodeStateVector(this.document as never);
  }

  /**
   * Appends what waits for updates that never came, and all that came since the document was loaded if some of that was left to
   * other servers: what was changed here may build on it.
   */
  #appendRest(): void {
    if (!this.#pending.isNew && !this.#leavesSomething) return;
    void this.log.append(this.#Y.encodeStateAsUpdate(this.document, this.#settled));
    this.#pending.isStored();
    this.#isSettled();
  }

  /** Resolves once all of it is stored, but for what waits for other updates, and what other servers store. */
  store(): Promise<void> {
    return this.log.flush();
  }

  /** The same with these. */
  async storeAll(): Promise<void> {
    this.#appendRest();
    await this.store();
  }

  /** See `DocumentLog.removeStored`. */
  async removeStored(): Promise<void> {
    const leftSomething = this.#leavesSomething;
    this.#leavesSomething = false;
    try {
      await this.#pending.removedWith(this.log.removeStored());
    } catch (error) {
      this.#leavesSomething ||= leftSomething;
      throw error;
    }
  }

  /**
   * Calls back once all of it is stored, after a call that has failed to do so. Of those that are given meanwhile it is the last one that
   * tells of a change, by which a server comes to unload the document as well; else the first one.
   */
  async onceStored(callback: () => void, tellsOfChange: boolean): Promise<void> {
    const isWaiting = this.#callback !== undefined;
    if (!isWaiting || tellsOfChange) this.#callback = callback;
    if (isWaiting) return;
    await this.log.completed;
    const last = this.#callback;
    this.#callback = undefined;
    if (this.#leaving === undefined) last?.();
  }

  /**
   * Stores what is to be stored, and releases the store. Calling it again is the same call. Where the document lives on, a change of it
   * is rejected after that (`closed`), which `store` says.
   *
   * @throws SDS_PersistenceError if something could not be stored, once all is released
   */
  leave(): Promise<void> {
    this.#leaving ??= this.#leave();
    return this.#leaving;
  }

  async #leave(): Promise<void> {
    this.#appendRest(); // which came since, or nobody has unloaded the document
    await this.#documents.close(this.log);
  }

  /** The same for a document that ends as well. Nobody can be told but by `onError`. */
  async leaveQuietly(): Promise<void> {
    this.document.off('update', this.#onUpdate);
    try {
      await this.leave();
    } catch (error) {
      this.#documents.trouble.tell('write', this.name, error as SDS_PersistenceError);
    }
  }
}
