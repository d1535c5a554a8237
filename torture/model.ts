/** The contract in memory: what each call answers and what is in the file afterwards. */

export type Call =
  | { kind: 'appendPatch'; clock: number; bytes: Uint8Array }
  | { kind: 'saveSnapshot'; clock: number; bytes: Uint8Array }
  | { kind: 'prunePatches'; clock: number }
  | { kind: 'saveValue'; hash: string; bytes: Uint8Array }
  | { kind: 'releaseValue'; hash: string }
  | { kind: 'loadSnapshot' }
  | { kind: 'loadPatchesSince'; clock: number }
  | { kind: 'loadValue'; hash: string };

export type Answer = undefined | string | string[];

interface Store {
  snapshot: { hex: string; clock: number } | undefined;
  patches: Map<number, string>;
}

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** An answer in a form that can be compared. */
export function answerOf(value: unknown): Answer {
  if (value === undefined) return undefined;
  if (value instanceof Uint8Array) return hexOf(value);
  if (Array.isArray(value)) return value.map((patch) => hexOf(patch as Uint8Array));
  return `something else: ${String(value)}`;
}

export class Model {
  readonly stores = new Map<string, Store>();
  readonly values = new Map<string, { hex: string; count: number }>();

  #store(storeId: string): Store {
    let store = this.stores.get(storeId);
    if (store === undefined) {
      store = { snapshot: undefined, patches: new Map() };
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
        for (const clock of store.patches.keys()) if (clock < call.clock) store.patches.delete(clock);
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
        return [...store.patches]
          .filter(([clock]) => clock > call.clock)
          .sort(([a], [b]) => a - b)
          .map(([, hex]) => hex);
      case 'loadValue':
        return this.values.get(call.hash)?.hex;
    }
  }

  /** All rows, in the form of `rowsIn`. */
  rows(): string[] {
    const rows: string[] = [];
    for (const [id, { snapshot, patches }] of this.stores) {
      if (snapshot !== undefined) rows.push(`snapshot ${id} ${snapshot.clock} ${snapshot.hex}`);
      for (const [clock, hex] of patches) rows.push(`patch ${id} ${clock} ${hex}`);
    }
    for (const [hash, { hex, count }] of this.values) rows.push(`value ${hash} ${count} ${hex}`);
    return rows.sort();
  }
}
