/**
 * The log of one document: its updates are appended as they come, and what was rejected is made up for. For
 * documents whose updates may be applied in any order, and more than once.
 */
import { type SDS_DesktopPersistenceProvider, SDS_PersistenceError } from '../main/index.ts';
import type { StoreInParcel } from '../protocol/service.ts';
import { Promise, performance, wallTimeUs } from '../protocol/surroundings.ts';
import { GrowingPause } from './pause.ts';
import { whenThereIsRoom } from './room.ts';
import type { Trouble } from './trouble.ts';

/** Between two attempts to have room as the process ends. */
const ROOM_MS = 5;
/** Wakes nobody. */
const nobody = new Int32Array(new SharedArrayBuffer(4));

/** The document in the memory of this thread. */
export interface LiveDocument {
  /** Applies what is stored, as one update or as several. */
  apply(updates: readonly Uint8Array[]): void;
  /** All of it as one update, what was appended last included. */
  state(): Uint8Array;
  /** Whether it has something that is not stored, and of which nobody was told. */
  readonly hasUntold: boolean;
}

export abstract class DocumentLog {
  readonly name: string;
  protected readonly trouble: Trouble;
  readonly #live: LiveDocument | undefined;

  /**
   * @param open - makes a provider of the document's store
   * @param others - the other logs of the document in this process
   */
  constructor(
    name: string,
    open: () => SDS_DesktopPersistenceProvider,
    others: () => readonly DocumentLog[],
    trouble: Trouble,
    live?: LiveDocument,
  ) {
    this.name = name;
    this.#open = open;
    this.#others = others;
    this.provider = open();
    this.trouble = trouble;
    this.#live = live;
  }

  // ---- its store ------------------------------------------------------------------------------------

  readonly #open: () => SDS_DesktopPersistenceProvider;
  readonly #others: () => readonly DocumentLog[];
  /** Of the document's store; for records. Another one after the store was lost. */
  provider: SDS_DesktopPersistenceProvider;
  #lastClock = 0;
  /** Whether the store belongs to another process (`fenced`). */
  #isLost = false;
  /** The end of the provider that has lost it. */
  #left: Promise<void> | undefined;

  /** By the clock: processes that write one store don't meet, and what one appends while another one compacts comes after that. */
  #nextClock(): number {
    this.#lastClock = Math.max(this.#lastClock + 1, wallTimeUs());
    return this.#lastClock;
  }

  /** Its `lastClock` is above the numbers of all that was loaded, and below those of what is appended after that. */
  protected async loadStore(): Promise<StoreInParcel> {
    const clock = this.#nextClock();
    const { provider } = this;
    try {
      const store = await provider.loadParcel();
      const lastClock = Math.max(clock, store.lastClock + 1);
      this.#lastClock = Math.max(this.#lastClock, lastClock);
      return { ...store, lastClock };
    } catch (error) {
      this.noteLoss(error, provider);
      throw error;
    }
  }

  /** What is stored, as updates. */
  abstract load(): Promise<Uint8Array[]>;

  /**
   * Whatever a call has failed with, by which provider: one that was closed fails late, when the present one may have the store again,
   * if it has waited for the store, or has another connection.
   */
  noteLoss(error: unknown, provider: SDS_DesktopPersistenceProvider): void {
    if (provider !== this.provider || !(error instanceof SDS_PersistenceError) || error.code !== 'fenced') return;
    // one that never had it has it once it is free; but others may have lost it, and not have heard of that. Else each hears of it by
    // itself: one of the same name may be in another schema, and have lost nothing
    for (const log of provider.mayComeFree ? this.#thatHadIt() : [this]) {
      log.#isLost = true;
      void log.#completeLater();
    }
  }

  #allOfIt(): DocumentLog[] {
    return [this, ...this.#others()];
  }

  /** That of the document which is open in this process, if it is. */
  protected get ofLive(): DocumentLog | undefined {
    return this.#allOfIt().find((log) => log.#live !== undefined);
  }

  #thatHadIt(): DocumentLog[] {
    return this.#allOfIt().filter(({ provider }) => !provider.mayComeFree);
  }

  /** Has the store again that was lost, once it is free: not before all providers are closed that have had it. */
  async #takeBack(): Promise<void> {
    for (const log of this.#thatHadIt()) {
      log.#left = log.provider.close(); // what it could not store was told
      // one that is being closed makes no further attempt, but for a live one, which asks for it by itself
      if (!log.isClosing || log === this) log.#beginAnew();
    }
    await Promise.allSettled(this.#allOfIt().map((log) => log.#left));
  }

  #beginAnew(): void {
    this.provider = this.#open();
    this.#heard = 0;
    this.#isLost = false;
    this.#isBehind = this.#live !== undefined; // the other process may have changed it
    if (this.#isBehind) void this.#completeLater();
  }

  // ---- updates --------------------------------------------------------------------------------------

  /** The promise of the last append; appends in a row may share one. */
  #lastStored: Promise<void> | undefined;
  #rejections = 0;
  /** How many updates that its provider has rejected were heard of, or do not matter. */
  #heard = 0;
  /** Removals that have not failed, since which nothing was appended. */
  #removed = { times: 0 };
  /** How often it was asked to delete what is stored. */
  #removals = 0;

  /**
   * Stores an update; its bytes are the caller's again when this returns. Nobody has to wait for the promise: a failure
   * is told of anyway, and what was rejected is made up for by the whole document, as soon as that can be stored.
   */
  append(update: Uint8Array): Promise<void> {
    // after a removal nothing is there that it could follow
    const whole = this.#isRemoved ? this.#live?.state() : undefined;
    if (this.#isRemoved) this.#removed = { times: 0 };
    const stored = this.store(whole ?? update);
    if (this.isIncomplete) void this.#completeAfter(stored);
    return stored;
  }

  protected store(update: Uint8Array): Promise<void> {
    const before = this.#lastStored;
    const stored = this.provider.appendPatch(update, this.#nextClock());
    if (stored !== this.#lastStored) {
      this.#isLast(stored, before);
      void stored.catch(this.#rejected); // nobody is woken for that
    }
    return stored;
  }

  /** Unless a subscriber, who is told at the end of a call, has called something behind it. */
  #isLast(stored: Promise<void>, before: Promise<void> | undefined): void {
    if (this.#lastStored === before) this.#lastStored = stored;
  }

  #rejected = (error: SDS_PersistenceError): void => {
    this.#rejections++;
    this.#heard = this.provider.rejectedAppends;
    this.noteLoss(error, this.provider);
    if (this.isIncomplete) return; // it was told
    this.trouble.tell(this.#live === undefined ? 'append' : 'write', this.name, error);
    // what was removed since is not missed
    if (this.#live !== undefined && !this.#isRemoved) this.#lacksSomething();
  };

  get #isRemoved(): boolean {
    return this.#removed.times > 0;
  }

  /** Deletes all that is stored of it, records too. If the live document is changed after that, all of it is stored again. */
  removeStored(): Promise<void> {
    this.#removals++;
    this.isIncomplete = false;
    this.#heard = this.provider.rejectedAppends;
    const before = this.#lastStored;
    const removed = this.#remove();
    this.#isLast(removed, before); // whatever became of what was stored before
    return removed;
  }

  async #remove(): Promise<void> {
    const { provider } = this;
    const removed = this.#removed;
    removed.times++;
    try {
      await provider.removeStore();
    } catch (error) {
      this.noteLoss(error, provider);
      // what was rejected before, or waits in it, at most; not if another one removes it, or all of it was stored since
      if (--removed.times === 0 && removed === this.#removed && this.#live !== undefined) {
        this.trouble.tell('write', this.name, error); // as of all that is made up for: what is rejected meanwhile is not told
        this.#lacksSomething();
      }
      throw error;
    }
  }

  // ---- what was rejected, or could not be applied, is made up for -----------------------------------

  /** Whether the database lacks an update, which was rejected. */
  isIncomplete = false;
  /** Whether the last update that came meanwhile was rejected as well. */
  #isRejecting = false;
  /** What has become of the last attempt to restore the live document. */
  restored: Promise<void> | undefined;
  /** Whether what is stored could not be applied yet. */
  #isBehind = false;
  /** Between two attempts to complete the database, or the live document. */
  #pause = new GrowingPause();
  /** The one that comes next; it never rejects. */
  #attempt: Promise<unknown> | undefined;

  /** Has the live document apply what is stored; if that fails, it is tried again from time to time. Updates may be appended before. */
  restore(): Promise<void> {
    this.restored = this.#restore();
    return this.restored;
  }

  async #restore(): Promise<void> {
    try {
      const removals = this.#removals;
      this.#live?.apply(await this.load());
      this.#isBehind = false;
      if (removals !== this.#removals) this.storeAnew(); // what was appended since was all of it only then
    } catch (error) {
      this.#isBehind = true;
      void this.#completeLater();
      throw error;
    }
  }

  #lacksSomething(): void {
    this.isIncomplete = this.#isRejecting = true;
    void this.#completeLater();
    this.#pause.beginAnew(); // it may be long after attempts to load
  }

  /** What was stored is gone, and what was appended since can't be applied without that. */
  protected storeAnew(): void {
    if (this.#live !== undefined && !this.#isRemoved && !this.isClosing) void this.store(this.#live.state());
  }

  /** Stores the whole document, if the database lacks something of it: as it is once there is room for it. */
  async #complete(): Promise<void> {
    const live = this.#live;
    if (live === undefined) return;
    await whenThereIsRoom(this.provider, async () => {
      if (!this.isIncomplete) return; // it may have been removed while this has waited
      const rejections = this.#rejections;
      await this.store(live.state());
      if (rejections === this.#rejections) this.isIncomplete = false;
    });
  }

  async #completeLater(): Promise<void> {
    if (this.#attempt !== undefined) return;
    this.#pause = new GrowingPause();
    while ((this.isIncomplete || this.#isLost || this.#isBehind) && !this.isClosing) {
      this.#attempt = Promise.allSettled([this.#tryToComplete()]); // failures were told before
      await this.#attempt;
    }
    this.#attempt = undefined;
  }

  /** Has the next attempt come at once, and those after it as soon as those after a failure. */
  hurry(): void {
    this.#pause.beginAnew();
    this.#pause.end();
  }

  /** Resolves once the database lacks nothing that was rejected, whatever the live document may lack, or the log is closed. */
  async completed(): Promise<void> {
    while (this.isIncomplete && !this.isClosing) await this.#attempt;
  }

  async #tryToComplete(): Promise<void> {
    await this.#pause.next();
    if (this.#isLost && !this.isClosing) await this.#takeBack();
    if (this.isClosing) return; // which stores what is to be stored
    await Promise.allSettled([this.#isBehind ? this.restore() : undefined, this.#complete()]);
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
    const removals = this.#removals;
    try {
      await this.#flush();
    } catch (error) {
      if (removals === this.#removals) throw error; // else whoever waits would hand over, or tell of, what is deleted
    }
    // what was removed meanwhile is not missed, unless that fails
    if (removals !== this.#removals) await this.flush();
  }

  async #flush(): Promise<void> {
    const rejections = this.#rejections;
    const { isIncomplete } = this;
    try {
      await this.#lastStored;
    } catch (error) {
      // whoever waits has waited for the server just now, for as long as he wanted to
      const isNew = rejections !== this.#rejections || isIncomplete !== this.isIncomplete;
      const isAway = (error as SDS_PersistenceError).code === 'connection-failed' && isNew;
      if (this.#live === undefined || isAway) throw error;
    }
    await this.#complete();
  }

  /** Whether an update was just rejected that was not removed since: whoever hears of another call first may end the process. */
  get #isRejectedUnheard(): boolean {
    return this.provider.rejectedAppends > this.#heard && !this.#isRemoved;
  }

  /** As the process ends, where no promise is heard of any more. Returns whether it lacks nothing, after so long at most. */
  storeAtExit(mostMs: number): boolean {
    if (this.#live === undefined) return !this.#isRejectedUnheard;
    const until = performance.now() + mostMs;
    try {
      const lacksSomething = this.isIncomplete || this.#isRejectedUnheard || this.#live.hasUntold;
      if (!lacksSomething) return true;
      // to have a lost one again takes more than one turn, and one that is closed takes nothing
      if (mostMs <= 0 || this.#isLost || !this.mayStore) return false;
      const state = this.#live.state();
      for (let leftMs = mostMs; leftMs > 0; leftMs = until - performance.now()) {
        const { refusedWrites } = this.provider;
        void this.store(state);
        const isRefused = this.provider.refusedWrites > refusedWrites;
        const isFlushed = this.provider.flushSync(leftMs); // what was called before has the room
        if (!isRefused) return isFlushed;
        Atomics.wait(nobody, 0, 0, ROOM_MS); // or it waits for other files
      }
    } catch {
      // others have their turn
    }
    return false;
  }

  // ---- the end --------------------------------------------------------------------------------------

  #closing: Promise<void> | undefined;

  /** Stores what is to be stored, and releases the store, even if it rejects. Calling it again is the same call. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Whether `close` was called: what is not stored by then is not tried again. */
  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  /** Whether something may be stored yet: one that is being closed stores what is to be stored before its store is released. */
  get mayStore(): boolean {
    return this.provider.status === 'opening' || this.provider.status === 'open';
  }

  async #close(): Promise<void> {
    this.#pause.end();
    const rejections = this.#rejections;
    try {
      await this.flush().catch(async (error: SDS_PersistenceError) => {
        if (this.#live === undefined || error.code !== 'fenced') throw error;
        await this.#takeBack(); // it may be free by now
        await this.flush();
      });
    } catch (error) {
      // without a live document nothing makes up for what was rejected before, of which all were told
      if (this.#live !== undefined || rejections !== this.#rejections) throw error;
    } finally {
      await this.provider.close();
    }
  }
}
