/**
 * The log of one document: its updates are appended as they come, and merged into a snapshot from time to time. For
 * documents whose updates may be applied in any order, and more than once.
 */
import type { SDS_DesktopPersistenceProvider, SDS_PersistenceError } from '../main/index.ts';
import type { MergeOrder } from '../protocol/merge-messages.ts';
import { viewsOf } from '../protocol/packed-bytes.ts';
import { discard, open, type Parcel } from '../protocol/parcel.ts';
import type { StoreInParcel } from '../protocol/service.ts';
import { Promise, wallTimeUs } from '../protocol/surroundings.ts';
import { Growth } from './growth.ts';
import { keptAlive, keptAliveFor } from './kept-alive.ts';
import type { Merging } from './merging.ts';
import { GrowingPause } from './pause.ts';
import type { Trouble } from './trouble.ts';

/** Whoever opens a long document waits so long for it to be compacted; then its updates are applied as they are. */
const COMPACTED_WITHIN_MS = 3000;

/** The document in the memory of this thread. */
export interface LiveDocument {
  /** Applies what is stored, as one update or as several. */
  apply(updates: readonly Uint8Array[]): void;
  /** All of it as one update, what was appended last included. */
  state(): Uint8Array;
}

interface LoadedStore extends StoreInParcel {
  /** Above the numbers of all that was loaded, and below those of what is appended after that. */
  upTo: number;
}

export class DocumentLog {
  readonly name: string;
  readonly #open: () => SDS_DesktopPersistenceProvider;
  /** Of the document's store; for records. Another one after the store was lost. */
  provider: SDS_DesktopPersistenceProvider;
  readonly #merging: Merging;
  readonly #trouble: Trouble;
  readonly #live: LiveDocument | undefined;
  #lastClock = 0;
  readonly #growth = new Growth();
  /** The promise of the last append; appends in a row may share one. */
  #lastStored: Promise<void> | undefined;
  #rejections = 0;
  /** Whether the database lacks an update, which was rejected. */
  isIncomplete = false;
  #isRemoved = false;
  /** Whether the store belongs to another process (`fenced`). */
  #isLost = false;
  /** What has become of the last attempt to restore the live document. */
  restored: Promise<void> | undefined;
  /** Whether what is stored could not be applied yet. */
  #isBehind = false;
  #compacting: Promise<boolean> | undefined;
  /** Between two attempts to complete the database, or the live document. */
  #pause = new GrowingPause();
  /** The one that comes next; it never rejects. */
  #attempt: Promise<unknown> | undefined;
  /** Whether the last update that came meanwhile was rejected as well. */
  #isRejecting = false;
  #closing: Promise<void> | undefined;

  /** @param open - makes a provider of the document's store */
  constructor(
    name: string,
    open: () => SDS_DesktopPersistenceProvider,
    merging: Merging,
    trouble: Trouble,
    live?: LiveDocument,
  ) {
    this.name = name;
    this.#open = open;
    this.provider = open();
    this.#merging = merging;
    this.#trouble = trouble;
    this.#live = live;
  }

  // ---- what is stored ---------------------------------------------------------------------------

  /** Has the live document apply what is stored; if that fails, it is tried again from time to time. Updates may be appended before. */
  restore(): Promise<void> {
    this.restored = this.#restore();
    return this.restored;
  }

  async #restore(): Promise<void> {
    try {
      this.#live?.apply(await this.load());
      this.#isBehind = false;
    } catch (error) {
      this.#isBehind = true;
      void this.#completeLater();
      throw error;
    }
  }

  #noteLoss({ code }: SDS_PersistenceError): void {
    if (code !== 'fenced') return;
    this.#isLost = true;
    if (this.#live === undefined) void this.#completeLater(); // a live one lacks something then, or will
  }

  /** The state vector of what is stored, or what another one lacks of it; and of how many updates that is. */
  async compute(task: 'stateVector' | 'diff', against?: Uint8Array): Promise<{ bytes: Uint8Array; updates: number }> {
    const { store, merged } = await keptAlive(this.#loadMerged({ task, against, isWaitedFor: true }));
    const [bytes] = viewsOf(open(merged as Parcel)); // of a merge alone there may be nothing to do
    const updates = store.patches + (store.snapshotClock === undefined ? 0 : 1);
    return { bytes: bytes as Uint8Array, updates }; // one was sealed
  }

  /**
   * What is stored, as updates which belong to the caller and may share buffers. A long document is compacted first; what can't be
   * compacted, or not soon, is returned as it is stored.
   */
  async load(): Promise<Uint8Array[]> {
    let store = await this.#load();
    this.#growth.loaded(store);
    if (await this.#isCompactedInTime()) {
      discard(store.parcel);
      this.#growth.beginAnew(); // what was appended since is loaded, too
      store = await this.#load();
      this.#growth.loaded(store);
    }
    return viewsOf(open(store.parcel));
  }

  /** Whether it was long, and is compacted now, which goes on if it takes longer. */
  async #isCompactedInTime(): Promise<boolean> {
    if (!this.#growth.isLong) return false;
    this.#compactByItself(true);
    try {
      return (await keptAliveFor(COMPACTED_WITHIN_MS, this.#compacting)) ?? false;
    } catch {
      return false; // as was told
    }
  }

  #load = async (): Promise<LoadedStore> => {
    const clock = this.#nextClock();
    try {
      const store = await this.provider.loadParcel();
      const upTo = Math.max(clock, store.lastClock + 1);
      this.#lastClock = Math.max(this.#lastClock, upTo);
      return { ...store, upTo };
    } catch (error) {
      this.#noteLoss(error as SDS_PersistenceError);
      throw error;
    }
  };

  /** Loads the store, when its turn has come, and merges it, if there is anything to merge. */
  async #loadMerged(order: MergeOrder): Promise<{ store: LoadedStore; merged: Parcel | undefined }> {
    await this.#owned();
    let store!: LoadedStore; // it is loaded before anything can be merged
    const load = async () => {
      store = await this.#load();
      if (order.task !== 'merge' || store.patches > 0) return store.parcel;
      discard(store.parcel);
      return undefined;
    };
    const merged = await this.#merging(order, load);
    return { store, merged };
  }

  /** What another process has is waited for before the turn to be merged comes, which others would have to wait for. */
  async #owned(): Promise<void> {
    try {
      if (this.provider.status === 'opening') await this.provider.ready();
    } catch (error) {
      this.#noteLoss(error as SDS_PersistenceError);
      if (this.#isLost) throw error; // else it is the load's to say: it may succeed on a disk that is full
    }
  }

  // ---- updates --------------------------------------------------------------------------------------

  /**
   * Stores an update; its bytes are the caller's again when this returns. Nobody has to wait for the promise: a failure
   * is told of anyway, and what was rejected is made up for by the whole document, as soon as that can be stored.
   */
  append(update: Uint8Array): Promise<void> {
    // after a removal nothing is there that it could follow
    const whole = this.#isRemoved ? this.#live?.state() : undefined;
    this.#isRemoved = false;
    const stored = this.#store(whole ?? update);
    if (this.isIncomplete) void this.#completeAfter(stored);
    return stored;
  }

  #store(update: Uint8Array): Promise<void> {
    const stored = this.provider.appendPatch(update, this.#nextClock());
    if (stored !== this.#lastStored) {
      this.#lastStored = stored;
      void stored.catch(this.#rejected); // nobody is woken for that
    }
    this.#growth.appended(update);
    if (this.#growth.isLong) this.#compactByItself(false);
    return stored;
  }

  /** By the clock: processes that write one store don't meet, and what one appends while another one compacts comes after that. */
  #nextClock(): number {
    this.#lastClock = Math.max(this.#lastClock + 1, wallTimeUs());
    return this.#lastClock;
  }

  #rejected = (error: SDS_PersistenceError): void => {
    this.#rejections++;
    this.#noteLoss(error);
    if (this.isIncomplete) return; // it was told
    this.#trouble.tell(this.#live === undefined ? 'append' : 'write', this.name, error);
    // what was removed since is not missed
    if (this.#live !== undefined && !this.#isRemoved) this.#lacksSomething();
  };

  #lacksSomething(): void {
    this.isIncomplete = this.#isRejecting = true;
    void this.#completeLater();
    this.#pause.beginAnew(); // it may be long after attempts to load
  }

  /** Stores the whole document, if the database lacks something of it. */
  async #complete(): Promise<void> {
    if (!this.isIncomplete || this.#live === undefined) return;
    const rejections = this.#rejections;
    await this.#store(this.#live.state());
    if (rejections === this.#rejections) this.isIncomplete = false;
  }

  async #completeLater(): Promise<void> {
    if (this.#attempt !== undefined) return;
    this.#pause = new GrowingPause();
    while ((this.isIncomplete || this.#isLost || this.#isBehind) && !this.isClosing) {
      this.#attempt = Promise.allSettled([this.#tryToComplete(this.#pause.next())]); // failures were told before
      await this.#attempt;
    }
    this.#attempt = undefined;
  }

  /** Resolves once the database lacks nothing that was rejected, whatever the live document may lack, or the log is closed. */
  async completed(): Promise<void> {
    while (this.isIncomplete && !this.isClosing) await this.#attempt;
  }

  async #tryToComplete(pause: Promise<void>): Promise<void> {
    await pause;
    await this.#takeBack();
    if (this.isClosing) return; // which stores what is to be stored
    await Promise.allSettled([this.#isBehind ? this.restore() : undefined, this.#complete()]);
  }

  /** Has the store again that was lost, if it is free by then. */
  async #takeBack(): Promise<void> {
    if (!this.#isLost) return;
    await Promise.allSettled([this.provider.close()]); // what it could not store was told
    this.provider = this.#open(); // one that was made before the lost one was closed would not have the store
    this.#isLost = false;
    this.#isBehind = this.#live !== undefined; // the other process may have changed it
  }

  /** One that is stored behind one that was not: there is room again. More of them say nothing new: the whole document may be too large. */
  async #completeAfter(stored: Promise<void>): Promise<void> {
    try {
      await stored;
      if (this.#isRejecting) this.#pause.end();
      this.#isRejecting = false;
    } catch {
      this.#isRejecting = true; // as was told of the first one
    }
  }

  /** Resolves once all that was appended is stored; if some of that was rejected, the whole document. Another call tries again. */
  async flush(): Promise<void> {
    const rejections = this.#rejections;
    try {
      await this.#lastStored;
    } catch (error) {
      // whoever waits has waited for the server just now, for as long as he wanted to
      const isAway = (error as SDS_PersistenceError).code === 'connection-failed' && rejections !== this.#rejections;
      if (!this.isIncomplete || isAway) throw error;
    }
    await this.#complete();
  }

  // ---- compaction ------------------------------------------------------------------------------------

  /** No call rejects with what it fails with. */
  #compactByItself(isWaitedFor: boolean): void {
    if (this.#compacting !== undefined || this.isClosing) return;
    void this.#begin(isWaitedFor).catch((error: unknown) => {
      if (!this.isClosing) this.#trouble.tell('merge', this.name, error);
    });
  }

  /** Merges all that is stored into a snapshot, which is not stored (`false`) if another process has changed the store meanwhile. */
  async compact(): Promise<boolean> {
    // what becomes of one that was begun by itself is told elsewhere
    while (this.#compacting !== undefined) await keptAlive(Promise.allSettled([this.#compacting]));
    return keptAlive(this.#begin(true));
  }

  async #begin(isWaitedFor: boolean): Promise<boolean> {
    this.#compacting = this.#compact(isWaitedFor);
    this.#growth.beginAnew();
    try {
      return await this.#compacting;
    } finally {
      this.#compacting = undefined;
    }
  }

  async #compact(isWaitedFor: boolean): Promise<boolean> {
    const { patches } = this.#growth; // of which there are none once it has begun
    const { store, merged } = await this.#loadMerged({ task: 'merge', isWaitedFor });
    const hadMore = this.#growth.snapshotBytes > 0 || store.patches < patches;
    if (store.snapshotClock === undefined && hadMore) {
      // another process has removed it: what was appended since can't be applied without what was before
      this.#growth.snapshotBytes = 0;
      if (this.#live !== undefined && !this.#isRemoved && !this.isClosing) void this.#store(this.#live.state());
    }
    if (merged === undefined) return true;
    try {
      const isStored = await this.provider.compactByParcel(merged, store, store.upTo);
      if (isStored) this.#growth.snapshotBytes = merged.length;
      return isStored;
    } finally {
      discard(merged);
    }
  }

  // ---- the end ---------------------------------------------------------------------------------------

  /** Deletes all that is stored of it, records too. If the live document is changed after that, all of it is stored again. */
  async removeStored(): Promise<void> {
    this.#isRemoved = this.#live !== undefined;
    this.isIncomplete = false;
    this.#lastStored = undefined; // whatever became of that
    this.#growth.beginAnew();
    this.#growth.snapshotBytes = 0;
    try {
      await this.provider.removeStore();
    } catch (error) {
      this.#isRemoved = false;
      if (this.#live !== undefined) this.#lacksSomething(); // what was rejected before, or waits in it, at most
      throw error;
    }
  }

  /** Stores what is to be stored, and releases the store, also if it rejects. Calling it again is the same call. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Whether `close` was called: what is not stored by then is not tried again. */
  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  async #close(): Promise<void> {
    this.#pause.end();
    if (this.#isLost && this.#live !== undefined) {
      await this.#attempt; // which may be about to take it back
      await this.#takeBack();
    }
    const rejections = this.#rejections;
    try {
      await this.flush();
    } catch (error) {
      // without a live document nothing makes up for what was rejected before, of which all were told
      if (this.#live !== undefined || rejections !== this.#rejections) throw error;
    } finally {
      await this.provider.close();
    }
  }
}
