/** A database engine of the smallest kind, as docs/engines.md explains it: it keeps everything in the worker's memory. */
import { seenOf, snapshotNumber } from '../../src/protocol/compaction.ts';
import { type PackedBytes, packOf } from '../../src/protocol/packed-bytes.ts';
import type { RecordsFound, StoreFound } from '../../src/protocol/service.ts';
import {
  type CommitPoint,
  type Engine,
  EngineError,
  type Member,
  noteCommit,
  type Writes,
} from '../../src/worker/engine.ts';
import { start } from '../../src/worker/start.ts';

interface Store {
  snapshot?: { data: Uint8Array; clock: number };
  patches: Map<number, Uint8Array>;
  /** In the order in which they were made: saved again, one keeps its place. */
  records: Map<string, Uint8Array>;
}

/** What a database keeps. Values belong to no store; each has a count of references. */
interface Database {
  stores: Map<string, Store>;
  values: Map<string, { data: Uint8Array; count: number }>;
}

/** By their paths: a file that is closed and opened again has what it had. */
const databases = new Map<string, Database>();

class MemoryEngine implements Engine {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  get #database(): Database {
    return databases.get(this.#path) ?? { stores: new Map(), values: new Map() };
  }

  attach(): void {}

  transact(writes: Writes, commitPoint: CommitPoint): void {
    const changed = structuredClone(this.#database); // what throws half-way has changed nothing
    while (writes.next()) perform(writes, changed);
    databases.set(this.#path, changed);
    commitPoint.cells[commitPoint.index] = commitPoint.value; // the very next thing after the commit
    noteCommit(commitPoint);
  }

  // what is returned is handed over: the caller of the provider may change it
  loadSnapshot({ storeId }: Member): Uint8Array | undefined {
    return storeOf(this.#database, storeId).snapshot?.data.slice();
  }

  loadPatchesSince({ storeId }: Member, clock: number): PackedBytes {
    const later = [...storeOf(this.#database, storeId).patches]
      .filter(([one]) => one > clock)
      .sort(([a], [b]) => a - b);
    return later.map(([, data]) => packOf(data.slice()));
  }

  loadStore(member: Member): StoreFound {
    const { snapshot, patches } = storeOf(this.#database, member.storeId);
    const clocks = [...patches.keys(), ...(snapshot === undefined ? [] : [snapshot.clock])];
    return {
      snapshot: snapshot?.data.slice(),
      snapshotClock: snapshot?.clock,
      patches: this.loadPatchesSince(member, Number.NEGATIVE_INFINITY),
      lastClock: clocks.length === 0 ? 0 : Math.max(...clocks),
    };
  }

  listStores(): string[] {
    const stores = [...this.#database.stores].filter(
      ([, { snapshot, patches, records }]) => snapshot !== undefined || patches.size > 0 || records.size > 0,
    );
    return stores.map(([id]) => id).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  loadRecord({ storeId }: Member, key: string): Uint8Array | undefined {
    return storeOf(this.#database, storeId).records.get(key)?.slice();
  }

  loadRecords({ storeId }: Member, prefix: string): RecordsFound {
    const found = [...storeOf(this.#database, storeId).records].filter(([key]) => key.startsWith(prefix));
    return { keys: found.map(([key]) => key), data: found.map(([, data]) => packOf(data.slice())) };
  }

  loadValue(_: Member, hash: string): Uint8Array | undefined {
    return this.#database.values.get(hash)?.data.slice();
  }

  close(): void {}
}

function storeOf({ stores }: Database, storeId: string): Store {
  const store = stores.get(storeId.toWellFormed()) ?? { patches: new Map(), records: new Map() };
  stores.set(storeId.toWellFormed(), store);
  return store;
}

/** Carries out one call. */
function perform(writes: Writes, database: Database): void {
  const { operation, clock, key } = writes;
  const { values } = database;
  const store = storeOf(database, writes.member.storeId);
  const data = writes.data.slice(); // what is handed in is only lent
  if (operation === 'appendPatch') append(writes, store, data);
  else if (operation === 'compactStore') compact(writes, store, data);
  else if (operation === 'saveSnapshot') store.snapshot = { data, clock };
  else if (operation === 'prunePatches') removeWhere(store.patches, (one) => one < clock);
  else if (operation === 'removeStore') database.stores.delete(writes.member.storeId.toWellFormed());
  else if (operation === 'saveRecord') store.records.set(key, data);
  else if (operation === 'removeRecord') store.records.delete(key);
  else if (operation === 'removeRecords') removeWhere(store.records, (one) => one.startsWith(key));
  else if (operation === 'saveValue' || operation === 'releaseValue') {
    const value = values.get(key) ?? { data, count: 0 };
    value.count += operation === 'saveValue' ? 1 : -1;
    if (value.count > 0) values.set(key, value);
    else values.delete(key);
  } else throw new Error(`there is no operation ${operation}`);
}

/** A patch that is there already, under its number or one that is passed over, is not stored twice. */
function append(writes: Writes, { patches }: Store, data: Uint8Array): void {
  let free = writes.clock;
  for (let there = patches.get(free); there !== undefined; there = patches.get(++free)) {
    if (Buffer.compare(there, data) === 0) return;
    if (!writes.keepsBoth) {
      writes.markWithoutEffect(writes.at);
      return;
    }
  }
  if (free > Number.MAX_SAFE_INTEGER) throw new EngineError('invalid-argument', { message: 'no number is free above' });
  patches.set(free, data);
}

/** Only if the store is as its caller has seen it. */
function compact(writes: Writes, store: Store, data: Uint8Array): void {
  const seen = seenOf(writes.key);
  const isCovered = (clock: number) => clock <= writes.clock;
  if (
    store.snapshot?.clock !== seen.snapshotClock ||
    [...store.patches.keys()].filter(isCovered).length !== seen.patches
  ) {
    writes.markWithoutEffect(writes.at);
    return;
  }
  store.snapshot = { data, clock: snapshotNumber(writes.clock, seen) };
  removeWhere(store.patches, isCovered);
}

function removeWhere<Key>(rows: Map<Key, unknown>, isMeant: (key: Key) => boolean): void {
  for (const key of rows.keys()) if (isMeant(key)) rows.delete(key);
}

start(({ path }) => new MemoryEngine(path), 900);
