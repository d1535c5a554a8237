/** A log that is merged into a snapshot from time to time. */
import type { SDS_PersistenceError } from '../main/index.ts';
import type { MergeOrder } from '../protocol/merge-messages.ts';
import { viewsOf } from '../protocol/packed-bytes.ts';
import { discard, open, type Parcel } from '../protocol/parcel.ts';
import type { StoreInParcel } from '../protocol/service.ts';
import { Promise } from '../protocol/surroundings.ts';
import { DocumentLog } from './document-log.ts';
import { Growth } from './growth.ts';
import { keptAlive, keptAliveFor } from './kept-alive.ts';
import type { Merging } from './merging.ts';
import { whenThereIsRoom } from './room.ts';

/** Whoever opens a long document waits so long for it to be compacted; then its updates are applied as they are. */
const COMPACTED_WITHIN_MS = 3000;

export class CompactedLog extends DocumentLog {
  readonly #merging: Merging;
  readonly #growth = new Growth();
  #compacting: Promise<boolean> | undefined;

  constructor(merging: Merging, ...log: ConstructorParameters<typeof DocumentLog>) {
    super(...log);
    this.#merging = merging;
  }

  protected override store(update: Uint8Array): Promise<void> {
    const stored = super.store(update);
    this.#growth.appended(update);
    if (this.#growth.isLong) this.#compactByItself(false);
    return stored;
  }

  override removeStored(): Promise<void> {
    this.#growth.beginAnew();
    this.#growth.snapshotBytes = 0;
    return super.removeStored();
  }

  /**
   * What is stored, as updates which belong to the caller and may share buffers. A long document is compacted first; what can't be
   * compacted, or not soon, is returned as it is stored.
   */
  override async load(): Promise<Uint8Array[]> {
    let store = await this.loadStore();
    this.#growth.loaded(store);
    if (await this.#isCompactedInTime()) {
      discard(store.parcel);
      this.#growth.beginAnew(); // what was appended since is loaded, too
      store = await this.loadStore();
      this.#growth.loaded(store);
    }
    return viewsOf(open(store.parcel));
  }

  /** Whether it was long, and is compacted now, which goes on if it takes longer. */
  async #isCompactedInTime(): Promise<boolean> {
    if (!this.#growth.isLong) return false;
    this.#compactByItself(true);
    const compacted = this.#compacting?.catch(() => false); // as was told
    return (await keptAliveFor(COMPACTED_WITHIN_MS, compacted)) ?? false;
  }

  /** Whether it is being compacted: closed meanwhile, it would be in vain. */
  get isCompacting(): boolean {
    return this.#compacting !== undefined;
  }

  /** No call rejects with what it fails with. */
  #compactByItself(isWaitedFor: boolean): void {
    if (this.#compacting !== undefined || this.isClosing) return;
    this.#compacting = this.#compact(isWaitedFor);
    void this.#compacting.catch((error: unknown) => {
      if (!this.isClosing) this.trouble.tell('merge', this.name, error);
    });
  }

  /** Merges all that is stored into a snapshot, which is not stored (`false`) if another process has changed the store meanwhile. */
  async compact(): Promise<boolean> {
    // what becomes of one that was begun by itself is told elsewhere
    while (this.#compacting !== undefined) await keptAlive(Promise.allSettled([this.#compacting]));
    this.#compacting = this.#compact(true);
    return keptAlive(this.#compacting);
  }

  async #compact(isWaitedFor: boolean): Promise<boolean> {
    const { patches } = this.#growth;
    this.#growth.beginAnew();
    let merged: Parcel | undefined;
    try {
      const loaded = await this.#loadMerged({ task: 'merge', isWaitedFor });
      const { store } = loaded;
      merged = loaded.merged;
      const hadMore = this.#growth.snapshotBytes > 0 || store.patches < patches;
      if (store.snapshotClock === undefined && hadMore) {
        this.#growth.snapshotBytes = 0; // another process has removed it
        this.storeAnew();
      }
      if (merged === undefined) return true;
      const snapshot = merged;
      const compact = () => this.provider.compactByParcel(snapshot, store, store.lastClock);
      const isStored = await whenThereIsRoom(this.provider, compact);
      if (isStored) this.#growth.snapshotBytes = snapshot.length;
      return isStored;
    } finally {
      if (merged !== undefined) discard(merged);
      this.#compacting = undefined;
    }
  }

  /**
   * The state vector of what is stored, or what another one lacks of it; and of how many updates that was. A long document is compacted as
   * well: nothing but that may ever be asked of it.
   */
  async compute(task: 'stateVector' | 'diff', against?: Uint8Array): Promise<{ bytes: Uint8Array; updates: number }> {
    const { store, merged } = await keptAlive(this.#loadMerged({ task, against, isWaitedFor: true }));
    const [bytes] = viewsOf(open(merged as Parcel)); // of a merge alone there may be nothing to do
    const updates = store.patches + (store.snapshotClock === undefined ? 0 : 1);
    this.#growth.loaded(store);
    if (await this.#isCompactedInTime()) this.#growth.beginAnew(); // it may have been under way before that
    return { bytes: bytes as Uint8Array, updates }; // one was sealed
  }

  /** Loads the store, when its turn has come, and merges it, if there is anything to merge. */
  async #loadMerged(order: MergeOrder): Promise<{ store: StoreInParcel; merged: Parcel | undefined }> {
    await this.#owned();
    let isLoaded = false;
    const load = async () => {
      isLoaded = false; // it may be called again
      const store = await this.loadStore();
      isLoaded = true;
      return store;
    };
    try {
      return await this.#mergedAs(order, load);
    } catch (error) {
      throw isLoaded ? this.trouble.about(this.name, error as SDS_PersistenceError) : error; // the load's says it
    }
  }

  /** As the document is that is open in this process, for a call as well: it may keep what was deleted. */
  get #mergedAs(): Merging {
    const { ofLive } = this;
    return ofLive instanceof CompactedLog ? ofLive.#merging : this.#merging;
  }

  /** What another process has is waited for before the turn to be merged comes, which others would have to wait for. */
  async #owned(): Promise<void> {
    try {
      if (this.provider.status === 'opening') await this.provider.ready();
    } catch (error) {
      if ((error as SDS_PersistenceError).code === 'fenced') throw error; // else it is the load's to say: it may succeed on a disk that is full
    }
  }
}
