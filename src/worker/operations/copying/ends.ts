/** What is copied, and between what: an end is a database file or a PostgreSQL database. */

/** A patch, or a snapshot. */
export interface Numbered {
  clock: number;
  data: Uint8Array;
}

export interface Value {
  hash: string;
  data: Uint8Array;
  print: ValuePrint;
}

export interface StoredRecord {
  key: string;
  data: Uint8Array;
}

/** How many rows of a store there are, or about as many. */
export interface RowCounts {
  patches: number;
  records: number;
}

/** How much there is of a store. */
export interface StoreSize extends RowCounts {
  bytes: number;
  /** Why it can't be copied as it is, if so. */
  trouble?: string;
}

/** How much there is of all values, and a digest of their hashes, counts and sizes. */
export interface ValueTotals {
  count: number;
  bytes: number;
  print: string;
}

/** By which two copies of a store are compared. */
export interface StorePrint {
  patches: RowsPrint;
  records: RowsPrint;
  snapshot: { clock: number; bytes: number; digest: string } | undefined;
}

export interface RowsPrint {
  count: number;
  /** Of their data. */
  bytes: number;
  digest: string;
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
  /** How many rows it has left out so far because they can't be read, or at least as many. */
  readonly leftOut?: number;
  stores(): Promise<Map<string, StoreSize>>;
  valueTotals(): Promise<ValueTotals>;
  prints(stores: ReadonlyMap<string, RowCounts>): Promise<Map<string, StorePrint>>;
  /** Reads small stores together, which are asked for one by one afterwards: a round trip for each takes longer. */
  readAhead?(stores: readonly string[]): Promise<void>;
  snapshot(store: string): Promise<Numbered | undefined>;
  /** In the order of their numbers, some at a time. */
  patches(store: string): Series<Numbered[]>;
  /** In the order in which they were made, some at a time. */
  records(store: string): Series<StoredRecord[]>;
  /** All of them, some at a time. */
  values(): Series<Value[]>;
  valuePrints(hashes: readonly string[]): Promise<Map<string, ValuePrint>>;
}

/** A source of stores, by which a copy that was cut off is known again. */
export interface Source {
  reader: Reader;
  /** Not the place alone: at another time or on another machine another file may have that. */
  identity: string;
  /** What is to be copied of it. */
  stores: Map<string, StoreSize>;
  /** `undefined` if they are left out. */
  values: ValueTotals | undefined;
  /** Throws if it was read without a lock and has changed: what was read is no state of it. */
  check: () => void;
}

/** Where stores are written to. What is written it compares with the source before it is committed. */
export interface Writer {
  readonly place: string;
  /** Refuses what can't be copied; nothing is written if it does. */
  begin(sources: readonly Source[]): Promise<void>;
  /** Before the stores of the source: so whoever finds a store finds its values. Returns how many there are. */
  copyValues(source: Source): Promise<number>;
  copyStores(source: Source, group: ReadonlyMap<string, StorePrint>): Promise<void>;
  finish(): Promise<void>;
}
