/** A document that is bound: what is stored is applied to it, and what changes it is stored. */
import {
  type DocumentLog,
  type Documents,
  GrowingPause,
  type Merging,
  mayPass,
  mergeFailed,
} from '../documents/index.ts';
import type { SDS_PersistenceError } from '../main/index.ts';
import type { Promise } from '../protocol/surroundings.ts';
import { Pending } from './pending.ts';
import { EMPTY_BYTES, type YjsDoc, type YjsModule } from './yjs.ts';

export class Binding<Doc extends YjsDoc> {
  readonly name: string;
  readonly doc: Doc;
  readonly log: DocumentLog;
  readonly #pending: Pending;
  #loaded: Promise<void>;
  readonly #Y: YjsModule<Doc>;
  readonly #documents: Documents;
  readonly #origin: object;
  readonly #destroyed: () => void;
  #loading: GrowingPause | undefined;
  #leaving: Promise<void> | undefined;
  readonly #untilStored = new GrowingPause();
  #heir: Binding<Doc> | undefined;
  #isHandedOver = false;
  #isLast = false;
  /** Whether somebody waits until it is stored: the process lives on for that, unless it is in vain. */
  #isWaitedFor = false;
  #isReleased = false;
  #isChangedSince = false;

  /**
   * @param origin - by which changes are known that come from the database
   * @param destroyed - called when the document is destroyed
   */
  constructor(
    name: string,
    doc: Doc,
    Y: YjsModule<Doc>,
    documents: Documents,
    merging: Merging,
    origin: object,
    destroyed: () => void,
  ) {
    this.name = name;
    this.doc = doc;
    this.#pending = new Pending(doc);
    this.#Y = Y;
    this.#documents = documents;
    this.#origin = origin;
    this.#destroyed = destroyed;
    const live = {
      apply: (updates: readonly Uint8Array[]) => this.#pending.applied(() => this.#apply(updates), this.#appendAll),
      state: () => this.#state(),
    };
    this.log = documents.open(name, merging, live);
    doc.on('destroy', destroyed);
    doc.on('update', this.#onUpdate); // in the turn of the change: before anybody else hears of it
    const before = this.#state();
    if (before.byteLength > EMPTY_BYTES) void this.log.append(before);
    this.#pending.isStored();
    this.#loaded = this.#load();
    void this.#told(this.#loaded);
  }

  /** Resolves once what is stored is applied: of the last attempt. Its rejection is told anyway. */
  get loaded(): Promise<void> {
    return this.#loaded;
  }

  get isLeaving(): boolean {
    return this.#leaving !== undefined;
  }

  /** Whether the document was changed after `leaveNow` had released it. */
  get isChangedSince(): boolean {
    return this.#isChangedSince;
  }

  #state(): Uint8Array {
    return this.#Y.encodeStateAsUpdate(this.doc);
  }

  #onUpdate = (update: Uint8Array, origin: unknown): void => {
    if (origin !== this.#origin) this.#append(update);
  };

  #appendAll = (): void => this.#append(this.#state());

  #append(update: Uint8Array): void {
    if (this.#isReleased) this.#isChangedSince = true;
    else void this.log.append(update);
  }

  /** Nobody may listen to it: what it fails with is told by the log, or by us. */
  async #told(promise: Promise<void>): Promise<void> {
    try {
      await promise;
    } catch {
      // told where it failed
    }
  }

  // ---- loading ---------------------------------------------------------------------------------

  async #load(): Promise<void> {
    try {
      await this.log.restore();
    } catch (error) {
      if (this.isLeaving) throw error;
      this.#documents.trouble.tell('load', this.name, error as SDS_PersistenceError);
      void this.#loadLater();
      throw error;
    }
  }

  /** The document is in use meanwhile: what is stored is applied as soon as it can be had. */
  async #loadLater(): Promise<void> {
    this.#loading = new GrowingPause();
    while (!this.isLeaving) {
      await this.#loading.next();
      if (this.isLeaving) return;
      try {
        this.#loaded = this.log.restore();
        return await this.#loaded;
      } catch {
        // told at the first time
      }
    }
  }

  #apply(updates: readonly Uint8Array[]): void {
    applyAll(this.#Y, this.doc, updates, this.#origin, (error) =>
      this.#documents.trouble.tell('merge', this.name, error),
    );
  }

  /** See `DocumentLog.removeStored`. */
  removeStored(): Promise<void> {
    return this.#pending.removedWith(this.log.removeStored());
  }

  // ---- leaving ---------------------------------------------------------------------------------

  /**
   * Resolves once all of the document is stored, however long that takes, and its store released; or another document of
   * this name has taken its state over.
   */
  leave(isWaitedFor: boolean): Promise<void> {
    if (isWaitedFor && !this.#isWaitedFor) {
      this.#isWaitedFor = true;
      this.#untilStored.end(); // the process might end in it
    }
    this.#leaving ??= this.#leave();
    return this.#leaving;
  }

  /** The same, but one attempt has to do. */
  leaveNow(): Promise<void> {
    this.#isLast = true;
    this.#untilStored.end();
    return this.leave(true);
  }

  /** Another document of this name comes. If this one can't be stored, that one will have to be. */
  leaveTo(heir: Binding<Doc>): void {
    this.#heir = heir;
    if (this.log.isIncomplete) this.#untilStored.end();
  }

  async #leave(): Promise<void> {
    this.#loading?.end();
    do {
      this.#pending.storedBy(this.#appendAll);
      await this.#store();
    } while (this.#pending.isNew); // it came meanwhile
    this.#isReleased = true;
    if (!this.#isLast) this.doc.off('update', this.#onUpdate);
    this.doc.off('destroy', this.#destroyed);
    try {
      await this.#documents.close(this.log);
    } catch (error) {
      if (!this.#isHandedOver || this.#isLast) throw error;
    }
  }

  /** Until all is stored, or another document has it; the last attempt is the end of the log itself. */
  async #store(): Promise<void> {
    while (!this.#isLast) {
      try {
        return await this.log.flush();
      } catch (error) {
        if (this.#handOver()) return; // else it is tried again, as was told by the log
        if (!this.#isLast) await this.#untilStored.next(this.#isWaitedFor && mayPass(error));
      }
    }
  }

  /** One that is leaving as well may be released before it has stored that. */
  #handOver(): boolean {
    const heir = this.#heir;
    if (heir === undefined || heir.isLeaving) return false;
    this.#Y.applyUpdate(heir.doc, this.#state());
    this.#isHandedOver = true;
    return true;
  }
}

/** Applies updates in one transaction. One that can't be applied is told, and keeps none of the others out. */
export function applyAll<Doc extends YjsDoc>(
  Y: YjsModule<Doc>,
  doc: Doc,
  updates: readonly Uint8Array[],
  origin: object,
  fail: (error: SDS_PersistenceError) => void,
): void {
  doc.transact(() => {
    for (const update of updates) {
      try {
        Y.applyUpdate(doc, update, origin);
      } catch (error) {
        fail(mergeFailed(error as Error));
      }
    }
  }, origin);
}
