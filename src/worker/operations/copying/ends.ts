/** What is moved, and between what: an end is a database file or a PostgreSQL database. */

export interface Patch {
  clock: number;
  data: Uint8Array;
}

export interface Value {
  hash: string;
  refCount: number;
  data: Uint8Array;
}

/** How much there is of a store. */
export interface StoreSize {
  patches: number;
  bytes: number;
  hasSnapshot: boolean;
}

/** By which two copies of a store are compared. */
export interface StorePrint {
  patches: number;
  patchBytes: number;
  patchDigest: string;
  snapshotClock: number | null;
  snapshotBytes: number;
  snapshotDigest: string;
}

export interface ValuePrint {
  refCount: number;
  bytes: number;
  digest: string;
}

export type Series<T> = Iterable<T> | AsyncIterable<T>;

/** Something to read: as it is at one moment, if it is what is copied. */
export interface Reader {
  /** As messages name it. */
  readonly place: string;
  stores(): Promise<Map<string, StoreSize>>;
  /** How many values there are, and their bytes. */
  valueSize(): Promise<{ count: number; bytes: number }>;
  /** @param patches - names of stores, and how many patches they should have */
  prints(patches: ReadonlyMap<string, number>): Promise<Map<string, StorePrint>>;
  /** Reads small stores together, which are asked for one by one afterwards: a round trip for each takes longer. */
  readAhead?(stores: readonly string[]): Promise<void>;
  snapshot(store: string): Promise<Patch | undefined>;
  /** In the order of their numbers, some at a time. */
  patches(store: string): Series<Patch[]>;
  /** All of them, some at a time. */
  values(): Series<Value[]>;
  /** All of them, some at a time; those of PostgreSQL without their bytes being sent. */
  valuePrints(): Series<Map<string, ValuePrint>>;
  valuePrintsOf(hashes: readonly string[]): Promise<Map<string, ValuePrint>>;
  /** Throws if it was read without a lock and has changed: what was read is no state of it. */
  check(): void;
}

/** A source of stores, by which a copy that was cut off is known again. */
export interface Source {
  reader: Reader;
  /** Not the place alone: at another time or on another machine another file may have that. */
  identity: string;
  /** What is to be copied of it. */
  stores: Map<string, StoreSize>;
}

/** Where stores are written to. */
export interface Writer {
  readonly place: string;
  /** Reads what was written. */
  readonly reader: Reader;
  /** Refuses what can't be copied; nothing is written if it does. */
  begin(sources: readonly Source[]): Promise<void>;
  copyStores(source: Source, group: ReadonlyMap<string, StorePrint>): Promise<void>;
  copyValues(source: Source): Promise<void>;
  /** After all is there and was compared. */
  finish(withValues: boolean): Promise<void>;
  /** At any end. */
  close(): Promise<void>;
}
