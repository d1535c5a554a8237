/** What is copied, and between what: an end is a database file or a PostgreSQL database. */

/** What a store consists of, in the order in which it is copied. */
export const kinds = ['snapshots', 'patches', 'records'] as const;
export type Kind = (typeof kinds)[number];

export interface StoredRow {
  store: string;
  /** The number of a patch or a snapshot, or the key of a record. */
  name: number | string;
  data: Uint8Array;
}

export interface Value {
  hash: string;
  data: Uint8Array;
  print: ValuePrint;
}

/** How much there is of a store. */
export interface StoreSize {
  patches: number;
  records: number;
  bytes: number;
  /** Why it can't be copied as it is, if so. */
  trouble?: string;
}

/** By which two copies of a store are compared. */
export type StorePrint = Record<Kind, RowsPrint>;

export interface RowsPrint {
  count: number;
  /** Of their data. */
  bytes: number;
  digest: bigint;
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
  readonly label: string;
  /** How many rows it has left out so far because they can't be read, or at least as many. */
  readonly leftOut?: number;
  stores(): Promise<Map<string, StoreSize>>;
  /** With a digest of their hashes, reference counts and sizes. */
  valueTotals(): Promise<RowsPrint>;
  /** Of each of these stores. */
  prints(stores: readonly string[]): Promise<Map<string, StorePrint>>;
  /**
   * Some at a time, one store after the other: patches in the order of their numbers, records in the order in which they were made.
   * Small stores are read together, because a round trip for each takes longer.
   */
  rows(kind: Kind, stores: readonly string[]): Series<StoredRow[]>;
  /** All of them, some at a time. */
  values(): Series<Value[]>;
  valuePrints(hashes: readonly string[]): Promise<Map<string, ValuePrint>>;
}

/** A source of stores, by which a copy that was cut off is known again. */
export interface Source {
  reader: Reader;
  /** Not the label alone: at another time or on another machine another file may have that. */
  identity: string;
  /** What is to be copied of it. */
  stores: Map<string, StoreSize>;
  /** `undefined` if they are left out. */
  values: RowsPrint | undefined;
  /** Throws if it was read without a lock and has changed: what was read is no state of it. */
  check: () => void;
}

/** Where stores are written to. What is written it compares with the source before it is committed. */
export interface Writer {
  readonly label: string;
  /** Refuses what can't be copied; nothing is written if it does. */
  begin(sources: readonly Source[]): Promise<void>;
  /** Before the stores of the source: so whoever finds a store finds its values. Returns how many there are. */
  copyValues(source: Source): Promise<number>;
  copyStores(source: Source, group: ReadonlyMap<string, StorePrint>): Promise<void>;
  finish(sources: readonly Source[]): Promise<void>;
}
