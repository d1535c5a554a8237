/**
 * The contract of the SDS sync engine, structurally the same as in `@rozek/sds-core` 0.0.13.
 * It is declared here because that package is an optional peer: types only, never imported.
 */

/** Keeps one store: its last snapshot, the patches since then, and large values by their hash. */
export interface SDS_PersistenceProvider {
  /** The store's last full snapshot, `undefined` if there is none. */
  loadSnapshot(): Promise<Uint8Array | undefined>;
  /** Replaces the snapshot. `Clock` is the patch number at that moment, 0 if left out. */
  saveSnapshot(Data: Uint8Array, Clock?: number): Promise<void>;
  /** All patches with a number **greater** than `Clock`, in ascending order. */
  loadPatchesSince(Clock: number): Promise<Uint8Array[]>;
  /** Stores a patch under its number. A number already taken is ignored: the first one wins. */
  appendPatch(Patch: Uint8Array, Clock: number): Promise<void>;
  /** Deletes all patches with a number **smaller** than `beforeClock`. */
  prunePatches(beforeClock: number): Promise<void>;
  /** A large value by its hash, `undefined` if it is not there. */
  loadValue(ValueHash: string): Promise<Uint8Array | undefined>;
  /** Stores a value with a reference count of 1, or adds 1 to the count of the one that is there. */
  saveValue(ValueHash: string, Data: Uint8Array): Promise<void>;
  /** Takes 1 off a value's reference count and deletes it at 0. An unknown hash is no error. */
  releaseValue(ValueHash: string): Promise<void>;
  /** Releases the database. */
  close(): Promise<void>;
}
