/** A database engine of the smallest kind, as docs/engines.md explains it: it keeps everything in the worker's memory. */
import { seenOf, snapshotNumber } from '../../src/protocol/compaction.ts';
import {
  APPEND_PATCH,
  COMPACT_STORE,
  PRUNE_PATCHES,
  RELEASE_VALUE,
  REMOVE_RECORD,
  REMOVE_RECORDS,
  REMOVE_STORE,
  SAVE_RECORD,
  SAVE_SNAPSHOT,
  SAVE_VALUE,
} from '../../src/protocol/entries.ts';
import type { PatchBlocks } from '../../src/protocol/patch-blocks.ts';
import type { RecordsFound, StoreFound } from '../../src/protocol/service.ts';
import { type Caller, type CommitPoint, type Engine, noteCommit, type Writes } from '../../src/worker/engine.ts';
import { start } from '../../src/worker/start.ts';

class Store {
  snapshot: { data: Uint8Array; clock: number } | undefined;
  readonly patches = new Map<number, Uint8Array>();
  /** In the order in which they were made: saved again, one keeps its place. */
  readonly records = new Map<string, Uint8Array>();

  get isEmpty(): boolean {
    return this.snapshot === undefined && this.patches.size === 0 && this.records.size === 0;
  }
}

/** What a database keeps. Values belong to no store; each has a count of references. */
class Database {
  readonly stores = new Map<string, Store>();
  readonly values = new Map<string, { data: Uint8Array; count: number }>();
}

/** By their paths: a file that is closed and opened again has what it had. */
const databases = new Map<string, Database>();

class MemoryEngine implements Engine {
  readonly version = 'memory';
  readonly #database: Database;

  constructor(path: string) {
    this.#database = databases.get(path) ?? new Database();
    databases.set(path, this.#database);
  }

  attach(): void {}

  transact(writes: Writes, commitPoint: CommitPoint): void {
    // found out first, then done: a cursor that throws leaves nothing half done
    const steps: (() => void)[] = [];
    while (writes.next()) steps.push(this.#stepOf(writes));
    for (const step of steps) step();
    commitPoint.cells[commitPoint.index] = commitPoint.value; // the very next thing after the commit
    noteCommit(commitPoint);
  }

  #stepOf(writes: Writes): () => void {
    const { stores, values } = this.#database;
    const { clock, key, at } = writes;
    const { storeId } = writes.caller;
    const data = writes.data.slice(); // what is handed in is only lent
    switch (writes.operation) {
      case APPEND_PATCH:
        return () => {
          const { patches } = this.#store(storeId);
          const there = patches.get(clock);
          if (there === undefined) patches.set(clock, data);
          else if (Buffer.compare(there, data) !== 0) writes.markCollided(at);
        };
      case SAVE_SNAPSHOT:
        return () => {
          this.#store(storeId).snapshot = { data, clock };
        };
      case PRUNE_PATCHES:
        return () => removeWhere(this.#store(storeId).patches, (one) => one < clock);
      case COMPACT_STORE:
        return () => {
          const store = this.#store(storeId);
          const seen = seenOf(key);
          const covered = [...store.patches.keys()].filter((one) => one <= clock);
          if (store.snapshot?.clock !== seen.snapshotClock || covered.length !== seen.patches) {
            writes.markCollided(at);
            return;
          }
          store.snapshot = { data, clock: snapshotNumber(clock, seen) };
          removeWhere(store.patches, (one) => one <= clock);
        };
      case REMOVE_STORE:
        return () => stores.delete(storeId);
      case SAVE_RECORD:
        return () => this.#store(storeId).records.set(key, data);
      case REMOVE_RECORD:
        return () => this.#store(storeId).records.delete(key);
      case REMOVE_RECORDS:
        return () => removeWhere(this.#store(storeId).records, (one) => one.startsWith(key));
      case SAVE_VALUE:
        return () => values.set(key, { data: values.get(key)?.data ?? data, count: (values.get(key)?.count ?? 0) + 1 });
      case RELEASE_VALUE:
        return () => {
          const value = values.get(key);
          if (value !== undefined && --value.count <= 0) values.delete(key);
        };
      default:
        throw new Error(`there is no operation ${writes.operation}`);
    }
  }

  #store(storeId: string): Store {
    const known = this.#database.stores.get(storeId);
    if (known !== undefined) return known;
    const store = new Store();
    this.#database.stores.set(storeId, store);
    return store;
  }

  // what is returned is handed over: the caller of the provider may change it
  loadSnapshot({ storeId }: Caller): Uint8Array | undefined {
    return this.#store(storeId).snapshot?.data.slice();
  }

  loadPatchesSince({ storeId }: Caller, clock: number): PatchBlocks {
    const later = [...this.#store(storeId).patches].filter(([one]) => one > clock).sort(([a], [b]) => a - b);
    return blocksOf(later.map(([, patch]) => patch));
  }

  loadStore(caller: Caller): StoreFound {
    const { snapshot, patches } = this.#store(caller.storeId);
    const clocks = [...patches.keys(), ...(snapshot === undefined ? [] : [snapshot.clock])];
    return {
      snapshot: snapshot?.data.slice(),
      snapshotClock: snapshot?.clock,
      patches: this.loadPatchesSince(caller, Number.NEGATIVE_INFINITY),
      lastClock: clocks.length === 0 ? 0 : Math.max(...clocks),
    };
  }

  listStores(): string[] {
    const stores = [...this.#database.stores]
      .filter(([, store]) => !store.isEmpty)
      .map(([name]) => name.toWellFormed());
    return stores.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  loadRecord({ storeId }: Caller, key: string): Uint8Array | undefined {
    return this.#store(storeId).records.get(key)?.slice();
  }

  loadRecords({ storeId }: Caller, prefix: string): RecordsFound {
    const found = [...this.#store(storeId).records].filter(([key]) => key.startsWith(prefix));
    return { keys: found.map(([key]) => key), data: blocksOf(found.map(([, data]) => data)) };
  }

  loadValue(_: Caller, hash: string): Uint8Array | undefined {
    return this.#database.values.get(hash)?.data.slice();
  }

  close(): void {}
}

function removeWhere<Key>(rows: Map<Key, unknown>, isMeant: (key: Key) => boolean): void {
  for (const key of rows.keys()) if (isMeant(key)) rows.delete(key);
}

/** All in one block; none if there are none. */
function blocksOf(parts: Uint8Array[]): PatchBlocks {
  if (parts.length === 0) return [];
  const bytes = new Uint8Array(Buffer.concat(parts));
  return [{ bytes, lengths: Int32Array.from(parts, ({ byteLength }) => byteLength) }];
}

start(({ dbPath }) => new MemoryEngine(dbPath), 900);
