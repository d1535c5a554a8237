/** The contract in memory: what each call answers and what is in the file afterwards. */
import type { SDS_Record, SDS_StoreContents } from 'sds-persistence-worker';
import type { Seen } from '../tests/support/extended-reference.ts';

export type Call =
  | { kind: 'appendPatch'; clock: number; bytes: Uint8Array }
  | { kind: 'saveSnapshot'; clock: number; bytes: Uint8Array }
  | { kind: 'prunePatches'; clock: number }
  | { kind: 'saveValue'; hash: string; bytes: Uint8Array }
  | { kind: 'releaseValue'; hash: string }
  | { kind: 'loadSnapshot' }
  | { kind: 'loadPatchesSince'; clock: number }
  | { kind: 'loadValue'; hash: string }
  | { kind: 'loadStore' }
  | { kind: 'compactStore'; bytes: Uint8Array; seen: Seen }
  | { kind: 'removeStore' }
  | { kind: 'saveRecord'; key: string; bytes: Uint8Array }
  | { kind: 'loadRecord'; key: string }
  | { kind: 'loadRecords'; key: string }
  | { kind: 'removeRecord'; key: string }
  | { kind: 'removeRecords'; key: string };

/** Of calls that have an answer; a thread that blocks gets none of a worker that is lost. */
export const isLoad = ({ kind }: Call): boolean => kind.startsWith('load');

export type Answer = undefined | boolean | string | string[];

interface Store {
  snapshot: { hex: string; clock: number } | undefined;
  patches: Map<number, string>;
  /** In the order in which they were made. */
  records: Map<string, string>;
}

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** An answer in a form that can be compared. */
export function answerOf(value: unknown): Answer {
  if (value === undefined || typeof value === 'boolean') return value;
  if (value instanceof Uint8Array) return hexOf(value);
  if (Array.isArray(value)) return value.map(lineOf);
  if (!isContents(value)) return `something else: ${String(value)}`;
  const { Snapshot, SnapshotClock, Patches, LastClock } = value;
  return [`${Snapshot && hexOf(Snapshot)} ${SnapshotClock} ${LastClock}`, ...Patches.map(hexOf)];
}

function lineOf(part: Uint8Array | SDS_Record): string {
  return part instanceof Uint8Array ? hexOf(part) : `${part.Key} ${hexOf(part.Data)}`;
}

function isContents(value: unknown): value is SDS_StoreContents {
  return typeof value === 'object' && value !== null && 'LastClock' in value;
}

export class Model {
  readonly stores = new Map<string, Store>();
  readonly values = new Map<string, { hex: string; count: number }>();

  #store(storeId: string): Store {
    let store = this.stores.get(storeId);
    if (store === undefined) {
      store = { snapshot: undefined, patches: new Map(), records: new Map() };
      this.stores.set(storeId, store);
    }
    return store;
  }

  apply(storeId: string, call: Call, keep = false): Answer {
    const store = this.#store(storeId);
    switch (call.kind) {
      case 'appendPatch': {
        const hex = hexOf(call.bytes);
        let { clock } = call;
        // also under a number that is passed over the same bytes are taken for this patch, kept there before
        while (store.patches.has(clock)) {
          if (!keep || store.patches.get(clock) === hex) return undefined;
          clock++;
        }
        store.patches.set(clock, hex);
        return undefined;
      }
      case 'saveSnapshot':
        store.snapshot = { hex: hexOf(call.bytes), clock: call.clock };
        return undefined;
      case 'prunePatches':
        removeWhere(store.patches, (clock) => clock < call.clock);
        return undefined;
      case 'saveValue': {
        const value = this.values.get(call.hash);
        if (value === undefined) this.values.set(call.hash, { hex: hexOf(call.bytes), count: 1 });
        else value.count++;
        return undefined;
      }
      case 'releaseValue': {
        const value = this.values.get(call.hash);
        if (value !== undefined && --value.count <= 0) this.values.delete(call.hash);
        return undefined;
      }
      case 'loadSnapshot':
        return store.snapshot?.hex;
      case 'loadPatchesSince':
        return patchesOf(store, call.clock);
      case 'loadValue':
        return this.values.get(call.hash)?.hex;
      case 'loadStore': {
        const { snapshot } = store;
        const clocks = [...store.patches.keys(), ...(snapshot === undefined ? [] : [snapshot.clock])];
        const last = clocks.length === 0 ? 0 : Math.max(...clocks);
        return [`${snapshot?.hex} ${snapshot?.clock} ${last}`, ...patchesOf(store, Number.NEGATIVE_INFINITY)];
      }
      case 'compactStore': {
        const { SnapshotClock, Patches, LastClock } = call.seen;
        const isAsSeen = store.snapshot?.clock === SnapshotClock && this.#covered(store, LastClock) === Patches.length;
        if (!isAsSeen) return false;
        // the number of a snapshot does not come twice, and does not fall
        const least = SnapshotClock === undefined ? LastClock : SnapshotClock + Math.min(Patches.length, 1);
        const clock = Math.min(Math.max(LastClock, least), Number.MAX_SAFE_INTEGER);
        store.snapshot = { hex: hexOf(call.bytes), clock };
        removeWhere(store.patches, (clock) => clock <= LastClock);
        return true;
      }
      case 'removeStore':
        this.stores.delete(storeId);
        return undefined;
      case 'saveRecord':
        store.records.set(call.key, hexOf(call.bytes));
        return undefined;
      case 'loadRecord':
        return store.records.get(call.key);
      case 'loadRecords':
        return [...store.records].filter(([key]) => key.startsWith(call.key)).map(([key, hex]) => `${key} ${hex}`);
      case 'removeRecord':
        store.records.delete(call.key);
        return undefined;
      case 'removeRecords':
        removeWhere(store.records, (key) => key.startsWith(call.key));
        return undefined;
    }
  }

  /** What is told to a compaction up to this number. */
  seen(storeId: string, clock: number): Seen {
    const store = this.#store(storeId);
    const Patches = Array.from({ length: this.#covered(store, clock) }, () => new Uint8Array(0));
    return { SnapshotClock: store.snapshot?.clock, Patches, LastClock: clock };
  }

  #covered({ patches }: Store, clock: number): number {
    return [...patches.keys()].filter((one) => one <= clock).length;
  }

  /** All rows, in the form of `rowsIn`. */
  rows(): string[] {
    const rows: string[] = [];
    for (const [id, { snapshot, patches, records }] of this.stores) {
      if (snapshot !== undefined) rows.push(`snapshot ${id} ${snapshot.clock} ${snapshot.hex}`);
      for (const [clock, hex] of patches) rows.push(`patch ${id} ${clock} ${hex}`);
      for (const [place, [key, hex]] of [...records].entries()) rows.push(`record ${id} ${place} ${key} ${hex}`);
    }
    for (const [hash, { hex, count }] of this.values) rows.push(`value ${hash} ${count} ${hex}`);
    return rows.sort();
  }
}

function patchesOf({ patches }: Store, above: number): string[] {
  return [...patches]
    .filter(([clock]) => clock > above)
    .sort(([a], [b]) => a - b)
    .map(([, hex]) => hex);
}

function removeWhere<Key>(rows: Map<Key, unknown>, isMeant: (key: Key) => boolean): void {
  for (const key of rows.keys()) if (isMeant(key)) rows.delete(key);
}
