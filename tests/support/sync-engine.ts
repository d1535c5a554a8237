/**
 * Calls a provider as the sync engine of the family does, with what it relies on: appends are only `.catch`-ed, there is
 * an `await` between reading its counter and using it, a checkpoint after 512 KB, large values are released when an
 * entry is rewritten, and a tool call opens a provider of its own. That works on a provider whose promises settle within
 * the turn of the call.
 */
import type { SDS_PersistenceProvider } from 'sds-persistence-worker';

/** How many bytes of patches there are before a snapshot replaces them. */
const CHECKPOINT_AFTER = 512 * 1024;
const HEAD = 8;

/**
 * A document of numbered changes, each of which needs the one before it: what comes behind a missing one is kept apart,
 * as a causal CRDT does.
 */
export class CausalDocument {
  /** All changes up to this one are part of it. */
  changes = 0;
  readonly #apart = new Set<number>();
  readonly #bytes: number;

  /** @param bytes - how large a snapshot is */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Makes the next change; returns its patch, of so many bytes. */
  change(bytes: number): Uint8Array {
    this.changes++;
    return numbered(this.changes, bytes);
  }

  encode(): Uint8Array {
    return numbered(this.changes, this.#bytes);
  }

  apply(snapshot: Uint8Array | undefined, patches: readonly Uint8Array[]): void {
    if (snapshot !== undefined) this.changes = Math.max(this.changes, numberOf(snapshot));
    for (const patch of patches) this.#apart.add(numberOf(patch));
    while (this.#apart.delete(this.changes + 1)) this.changes++;
  }
}

/** Bytes that begin with a number, and whose rest follows from it. */
export function numbered(number: number, length: number): Buffer<ArrayBuffer> {
  const bytes = Buffer.alloc(Math.max(length, HEAD), number & 0xff);
  bytes.writeDoubleLE(number);
  return bytes;
}

export function numberOf(bytes: Uint8Array): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).readDoubleLE();
}

export interface SyncEngineOptions {
  /** Whether it has a network provider: only then it prunes. */
  network?: boolean;
  /** Whether a checkpoint begins with a load. */
  readsFirst?: boolean;
  /** Told of each change whose promise has resolved; by that, somebody waits for it. */
  onAcknowledged?: ((change: number) => void) | undefined;
}

export class SyncEngine {
  readonly document: CausalDocument;
  checkpoints = 0;
  /** Bytes of all patches. */
  bytes = 0;
  failures: unknown[] = [];
  /** Large values that were saved and acknowledged. */
  saved = 0;

  readonly #provider: SDS_PersistenceProvider;
  readonly #network: boolean;
  readonly #readsFirst: boolean;
  readonly #onAcknowledged: ((change: number) => void) | undefined;
  #patchSeq = 0;
  #accumulated = 0;
  readonly #hashOf = new Map<string, string>();

  constructor(provider: SDS_PersistenceProvider, document: CausalDocument, options: SyncEngineOptions = {}) {
    this.#provider = provider;
    this.document = document;
    this.#network = options.network ?? true;
    this.#readsFirst = options.readsFirst ?? false;
    this.#onAcknowledged = options.onAcknowledged;
  }

  /** The numbering goes on from the count of patches that are found. */
  async start(): Promise<void> {
    const snapshot = await this.#provider.loadSnapshot();
    const patches = await this.#provider.loadPatchesSince(0);
    this.document.apply(snapshot, patches);
    this.#patchSeq = patches.length;
  }

  /** Makes a change, persists it, and sees whether a checkpoint is due. */
  change(bytes: number): void {
    const patch = this.document.change(bytes);
    const change = this.document.changes;
    this.#patchSeq++;
    const stored = this.#provider.appendPatch(patch, this.#patchSeq);
    stored.catch(this.#failed);
    if (this.#onAcknowledged !== undefined) stored.then(() => this.#onAcknowledged?.(change), this.#failed);
    this.bytes += patch.byteLength;
    this.#accumulated += patch.byteLength;
    if (this.#accumulated >= CHECKPOINT_AFTER) this.checkpoint().catch(this.#failed);
  }

  async checkpoint(): Promise<void> {
    this.checkpoints++;
    if (this.#readsFirst) await this.#provider.loadPatchesSince(this.#patchSeq);
    await this.#provider.saveSnapshot(this.document.encode(), this.#patchSeq);
    if (this.#network) await this.#provider.prunePatches(this.#patchSeq);
    this.#accumulated = 0;
  }

  /** How many checkpoints the patches so far are worth. */
  get checkpointsDue(): number {
    return Math.floor(this.bytes / CHECKPOINT_AFTER);
  }

  /** An entry gets a large value, or none. */
  setValue(entry: string, hash: string | undefined, value: Uint8Array): void {
    this.#handleValue(entry, hash, value).catch(this.#failed);
  }

  async #handleValue(entry: string, hash: string | undefined, value: Uint8Array): Promise<void> {
    const before = this.#hashOf.get(entry);
    if (before !== undefined && before !== hash) {
      await this.#provider.releaseValue(before);
      this.#hashOf.delete(entry);
    }
    if (hash === undefined) return;
    await this.#provider.saveValue(hash, value);
    this.#hashOf.set(entry, hash);
    this.saved++;
  }

  async stop(): Promise<void> {
    await this.checkpoint();
    await this.#provider.close();
  }

  #failed = (error: unknown): void => {
    this.failures.push(error);
  };
}

/** What is found in a store by whoever opens it next. */
export async function restore(provider: SDS_PersistenceProvider): Promise<CausalDocument> {
  const document = new CausalDocument(0);
  document.apply(await provider.loadSnapshot(), await provider.loadPatchesSince(0));
  return document;
}

/**
 * A tool call of a server that has no store open: opens it, adds an entry to a document that is the set of its entries,
 * and closes it. It has no network, so patches stay.
 */
export async function addEntry(provider: SDS_PersistenceProvider, entry: string): Promise<void> {
  const entries = await entriesOf(provider);
  const count = (await provider.loadPatchesSince(0)).length;
  entries.add(entry);
  const failures: unknown[] = [];
  provider.appendPatch(encodeEntries([entry]), count + 1).catch((error: unknown) => failures.push(error));
  await provider.saveSnapshot(encodeEntries(entries), count + 1);
  await provider.close();
  if (failures.length > 0) throw failures[0];
}

export async function entriesOf(provider: SDS_PersistenceProvider): Promise<Set<string>> {
  const snapshot = await provider.loadSnapshot();
  const patches = await provider.loadPatchesSince(0);
  const all = snapshot === undefined ? patches : [snapshot, ...patches];
  return new Set(all.flatMap((bytes) => JSON.parse(new TextDecoder().decode(bytes)) as string[]));
}

function encodeEntries(entries: Iterable<string>): Uint8Array {
  return new TextEncoder().encode(JSON.stringify([...entries]));
}
