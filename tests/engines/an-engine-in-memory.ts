/** A database engine of the smallest kind, as docs/engines.md explains it: it keeps everything in the worker's memory. */
import { APPEND_PATCH, PRUNE_PATCHES, RELEASE_VALUE, SAVE_SNAPSHOT, SAVE_VALUE } from '../../src/protocol/entries.ts';
import type { PatchBlocks } from '../../src/protocol/service.ts';
import { type Caller, type CommitPoint, type Engine, noteCommit, type Writes } from '../../src/worker/engine.ts';
import { start } from '../../src/worker/start.ts';

/** What a database keeps. Values belong to no store; each has a count of references. */
class Database {
  readonly snapshots = new Map<string, Uint8Array>();
  readonly patches = new Map<string, Map<number, Uint8Array>>();
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
    const { snapshots, values } = this.#database;
    const { clock, key, at } = writes;
    const { storeId } = writes.caller;
    const data = writes.data.slice(); // what is handed in is only lent
    const patches = this.#patchesOf(storeId);
    switch (writes.operation) {
      case APPEND_PATCH:
        return () => {
          const there = patches.get(clock);
          if (there === undefined) patches.set(clock, data);
          else if (Buffer.compare(there, data) !== 0) writes.markCollided(at);
        };
      case SAVE_SNAPSHOT:
        return () => snapshots.set(storeId, data);
      case PRUNE_PATCHES:
        return () => {
          for (const one of patches.keys()) if (one < clock) patches.delete(one);
        };
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

  #patchesOf(storeId: string): Map<number, Uint8Array> {
    const known = this.#database.patches.get(storeId);
    if (known !== undefined) return known;
    const patches = new Map<number, Uint8Array>();
    this.#database.patches.set(storeId, patches);
    return patches;
  }

  // what is returned is handed over: the caller of the provider may change it
  loadSnapshot({ storeId }: Caller): Uint8Array | undefined {
    return this.#database.snapshots.get(storeId)?.slice();
  }

  loadPatchesSince({ storeId }: Caller, clock: number): PatchBlocks {
    const later = [...this.#patchesOf(storeId)].filter(([one]) => one > clock).sort(([a], [b]) => a - b);
    if (later.length === 0) return [];
    const bytes = new Uint8Array(Buffer.concat(later.map(([, patch]) => patch)));
    return [{ bytes, lengths: Int32Array.from(later, ([, patch]) => patch.byteLength) }];
  }

  loadValue(_: Caller, hash: string): Uint8Array | undefined {
    return this.#database.values.get(hash)?.data.slice();
  }

  close(): void {}
}

start(({ dbPath }) => new MemoryEngine(dbPath), 900);
