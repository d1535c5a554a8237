/** What a transaction is to do: the writes of its calls, sorted by what few statements can carry out together. */
import { APPEND_PATCH, PRUNE_PATCHES, RELEASE_VALUE, SAVE_SNAPSHOT, SAVE_VALUE } from '../../protocol/entries.ts';
import type { Caller, Writes } from '../engine.ts';
import { verifyValue } from '../verify-value.ts';
import { MOST_INLINE } from './chunks.ts';
import { storedName } from './names.ts';
import { PackedPatches } from './packed-patches.ts';
import type { Snapshot } from './snapshots.ts';
import { ValueChanges } from './values.ts';

/** Patches, snapshots and values lie in tables of their own, so only the order within each of them counts. */
export class Changes {
  /** Patches to be inserted, and numbers below which those of a store are deleted, in turn. */
  readonly patches: (PackedPatches | Map<string, number>)[] = [];
  /** Of each store the last one. */
  readonly snapshots = new Map<string, Snapshot>();
  readonly values = new ValueChanges();
  /** A value that takes a transaction to itself. */
  largeValue: { hash: string; data: Buffer } | undefined;
  /** Names too long for a key, and what they stand for. */
  readonly longNames = new Map<string, string>();
  keepsBoth = false;
  readonly callers = new Set<Caller>();

  constructor(writes: Writes) {
    let latest: Caller | undefined;
    let store = '';
    while (writes.next()) {
      const { caller } = writes;
      if (caller !== latest) {
        latest = caller;
        this.callers.add(caller);
        store = this.#stored(caller.storeId);
      }
      this.#add(writes, caller, store);
    }
  }

  #add(writes: Writes, caller: Caller, store: string): void {
    switch (writes.operation) {
      case APPEND_PATCH: {
        let last = this.patches.at(-1);
        if (!(last instanceof PackedPatches)) {
          last = new PackedPatches();
          this.patches.push(last);
        }
        last.add(store, writes.clock, writes.data, writes.at, writes.keepsBoth);
        if (writes.keepsBoth) this.keepsBoth = true;
        return;
      }
      case PRUNE_PATCHES: {
        let last = this.patches.at(-1);
        if (!(last instanceof Map)) {
          last = new Map();
          this.patches.push(last);
        }
        last.set(store, Math.max(writes.clock, last.get(store) ?? Number.NEGATIVE_INFINITY));
        return;
      }
      case SAVE_SNAPSHOT:
        this.snapshots.set(store, { clock: writes.clock, data: viewOf(writes.data) });
        return;
      case SAVE_VALUE: {
        const { key, data } = writes;
        if (caller.verifyValues) verifyValue(key, data, 'invalid-argument');
        const hash = this.#stored(key);
        // larger ones than a batch holds come alone
        if (data.byteLength > MOST_INLINE) this.largeValue = { hash, data: viewOf(data) };
        else this.values.save(hash, viewOf(data));
        return;
      }
      case RELEASE_VALUE:
        this.values.release(this.#stored(writes.key));
        return;
      default:
        throw new Error(`there is no operation ${writes.operation}`);
    }
  }

  #stored(name: string): string {
    const { stored, whole } = storedName(name);
    if (whole !== undefined) this.longNames.set(stored, whole);
    return stored;
  }

  /** Whether all there is to do is to insert patches of one statement. */
  get onlyPatches(): PackedPatches | undefined {
    const [only] = this.patches;
    const others = this.snapshots.size + this.longNames.size > 0 || this.values.any || this.largeValue !== undefined;
    if (others || this.keepsBoth || this.patches.length !== 1 || !(only instanceof PackedPatches)) return undefined;
    return only;
  }

  /** Whether it takes several round trips: to find free numbers, or to send what is large. */
  get isLong(): boolean {
    if (this.keepsBoth || this.largeValue !== undefined) return true;
    for (const { data } of this.snapshots.values()) if (data.byteLength > MOST_INLINE) return true;
    return false;
  }

  /** Done with. */
  free(): void {
    for (const step of this.patches) if (step instanceof PackedPatches) step.free();
  }
}

/** The same bytes; they stay where they are until the transaction ends. */
export function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
