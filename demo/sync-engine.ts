/** Calls a provider in the way a sync engine does: nothing is awaited, errors are only caught. */
import type { SDS_PersistenceProvider } from 'sds-persistence-worker';

/** How many bytes of patches there are before a snapshot replaces them. */
const SNAPSHOT_AFTER = 512 * 1024;

export class SyncEngine {
  readonly #provider: SDS_PersistenceProvider;
  /** Number of the last patch; the first is 1. */
  patches = 0;
  patchBytes = 0;
  snapshots = 0;
  values = 0;
  /** Promises of `appendPatch` that were different objects: patches that are committed together share one. */
  distinctPromises = 0;
  /** The first error that any call rejected with. */
  failure: unknown;

  #bytesSinceSnapshot = 0;
  #lastAppend: Promise<void> | undefined;

  constructor(provider: SDS_PersistenceProvider) {
    this.#provider = provider;
  }

  append(patch: Uint8Array): void {
    this.patches++;
    const promise = this.#provider.appendPatch(patch, this.patches);
    promise.catch(this.#failed);
    if (promise !== this.#lastAppend) this.distinctPromises++;
    this.#lastAppend = promise;
    this.patchBytes += patch.byteLength;
    this.#bytesSinceSnapshot += patch.byteLength;
  }

  /** A large value is kept beside the document. */
  saveValue(hash: string, value: Uint8Array): void {
    this.#provider.saveValue(hash, value).catch(this.#failed);
    this.values++;
  }

  get snapshotDue(): boolean {
    return this.#bytesSinceSnapshot >= SNAPSHOT_AFTER;
  }

  /**
   * The snapshot contains all patches up to the last one, number n. The prune deletes the numbers
   * smaller than n, so patch n stays; applied to a document that has it already, it changes nothing.
   */
  takeSnapshot(snapshot: Uint8Array): void {
    const n = this.patches;
    this.#provider
      .loadPatchesSince(n)
      .then((later) => {
        if (later.length > 0) throw new Error(`there are patches with a number above ${n}, which nobody wrote`);
      })
      .catch(this.#failed);
    this.#provider.saveSnapshot(snapshot, n).catch(this.#failed);
    this.#provider.prunePatches(n).catch(this.#failed);
    this.snapshots++;
    this.#bytesSinceSnapshot = 0;
  }

  /** Once all is committed: a read sees every write before it, whenever that was acknowledged. */
  async settled(): Promise<void> {
    await this.#provider.loadSnapshot().catch(this.#failed);
  }

  #failed = (error: unknown): void => {
    this.failure ??= error;
  };
}
