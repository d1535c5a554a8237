/**
 * Keeps one document in one store, as a sync engine does: patches are appended as they happen and
 * never awaited; after 512 KB of them a snapshot takes their place. What is durable is told later.
 */
import type { SDS_PersistenceProvider } from 'sds-persistence-worker';
import { packSnapshot, type Snapshot, unpackSnapshot } from './snapshot.ts';

const SNAPSHOT_AFTER = 512 * 1024;
const RETRY_AFTER_MS = 1000;

/** The document that is kept. */
export interface Kept {
  encode(): Uint8Array;
  /** How many bytes of pictures it has beside its text. */
  pictureBytes(): number;
  /** All patches up to this one are durable; they are counted from 1 since the store was opened. */
  durable(upTo: number): void;
  /** A call was rejected; the next snapshot makes up for it. */
  failed(error: unknown): void;
  /** The clock's time spent inside the provider's calls. */
  inside(ms: number): void;
  savedSnapshot(): void;
}

export class DocumentStore {
  readonly #provider: SDS_PersistenceProvider;
  readonly #kept: Kept;
  /** Number of the last patch in the file. */
  #clock: number;
  /** Patches since the store was opened: called, durable, and the last one that was rejected. */
  #written = 0;
  #durable = 0;
  #rejected = 0;
  /** Patches that are committed together share a promise, so one listener serves them all. */
  #last: { promise: Promise<void>; upTo: number } | undefined;
  // documents that were opened together are not to be saved together
  #bytesSinceSnapshot = Math.floor(Math.random() * SNAPSHOT_AFTER);
  #changedSinceSnapshot = false;
  #saving: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closing = false;
  readonly #awaited: { upTo: number; resolve: () => void }[] = [];

  private constructor(provider: SDS_PersistenceProvider, clock: number, kept: Kept) {
    this.#provider = provider;
    this.#clock = clock;
    this.#kept = kept;
  }

  /** @returns the store, and what makes up the document: the snapshot's state and the later patches */
  static async open(provider: SDS_PersistenceProvider, kept: Kept) {
    const bytes = await provider.loadSnapshot();
    const { clock, state }: Snapshot = bytes === undefined ? { clock: 0, state: undefined } : unpackSnapshot(bytes);
    const patches = await provider.loadPatchesSince(clock);
    // a number may be missing (of a patch that was rejected): go on until there is nothing above
    let last = clock;
    for (let above = patches; above.length > 0; above = await provider.loadPatchesSince(last)) last += above.length;
    const store = new DocumentStore(provider, last, kept);
    return { store, updates: state === undefined ? patches : [state, ...patches] };
  }

  /** How many patches were appended; `durable` counts in the same way. */
  get written(): number {
    return this.#written;
  }

  get waiting(): number {
    return this.#written - this.#durable;
  }

  append(patch: Uint8Array): void {
    this.#written++;
    this.#clock++;
    this.#bytesSinceSnapshot += patch.byteLength;
    this.#changedSinceSnapshot = true;
    const promise = this.#inside(() => this.#provider.appendPatch(patch, this.#clock));
    if (this.#last?.promise === promise) {
      this.#last.upTo = this.#written;
    } else {
      const batch = { promise, upTo: this.#written };
      this.#last = batch;
      promise.then(
        () => {
          // behind a gap a patch is of no use until a snapshot has closed the gap
          if (this.#rejected === 0) this.#advance(batch.upTo);
        },
        (error: unknown) => {
          this.#rejected = batch.upTo;
          this.#failed(error);
        },
      );
    }
    if (this.#bytesSinceSnapshot >= SNAPSHOT_AFTER && this.#saving === undefined) void this.saveSnapshot();
  }

  /** Saves the document as it is now, in place of its patches. One at a time: while one is on its way, that one. */
  saveSnapshot(pictureBytes = this.#kept.pictureBytes()): Promise<void> {
    this.#saving ??= this.#save(pictureBytes).finally(() => {
      this.#saving = undefined;
    });
    return this.#saving;
  }

  async #save(pictureBytes: number): Promise<void> {
    const clock = this.#clock;
    const written = this.#written;
    this.#bytesSinceSnapshot = 0;
    this.#changedSinceSnapshot = false;
    // patches that come meanwhile have higher numbers and stay
    const bytes = await packSnapshot({ clock, state: this.#kept.encode() }, pictureBytes);
    this.#kept.savedSnapshot();
    try {
      await this.#inside(() => this.#provider.loadPatchesSince(clock));
      await this.#inside(() => this.#provider.saveSnapshot(bytes, clock));
      // only now: a snapshot can fail (a full disk), and then the patches are all there is
      await this.#inside(() => this.#provider.prunePatches(clock));
    } catch (error) {
      this.#changedSinceSnapshot = true;
      this.#failed(error);
      return;
    }
    if (this.#rejected <= written) this.#rejected = 0;
    if (this.#rejected === 0) this.#advance(written);
  }

  /** Once all that has been appended by now is durable. */
  allDurable(): Promise<void> {
    const upTo = this.#written;
    if (this.#durable >= upTo) return Promise.resolve();
    return new Promise((resolve) => this.#awaited.push({ upTo, resolve }));
  }

  #advance(upTo: number): void {
    if (upTo <= this.#durable) return;
    this.#durable = upTo;
    for (let next = this.#awaited[0]; next !== undefined && next.upTo <= upTo; next = this.#awaited[0]) {
      this.#awaited.shift();
      next.resolve();
    }
    this.#kept.durable(upTo);
  }

  #failed(error: unknown): void {
    this.#kept.failed(error);
    // the last save of a store that closes is the last there is
    if (this.#closing) return;
    this.#retry ??= setTimeout(async () => {
      // one that is on its way may have begun before what was rejected
      await this.#saving;
      this.#retry = undefined;
      if (!this.#closing) await this.saveSnapshot();
    }, RETRY_AFTER_MS);
  }

  #inside<T>(call: () => T): T {
    const start = performance.now();
    const result = call();
    this.#kept.inside(performance.now() - start);
    return result;
  }

  /** As `stop()` of a sync engine: a last snapshot if there is something new, then the provider is closed. */
  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#retry);
    await this.#saving;
    if (this.#changedSinceSnapshot) await this.saveSnapshot();
    await this.#provider.close();
  }
}
