/** What a worker offers through Comlink; gathered writes cross otherwise (`ring.ts`, `slabs.ts`, `entries.ts`). */
import type { MessagePort } from 'node:worker_threads';
import type { SharedMemory } from './control.ts';
import type { LoadOperation } from './entries.ts';
import type { Failure } from './errors.ts';
import type { FailedSave } from './failed-saves.ts';
import type { ProviderSettings, sharedOptions } from './options.ts';
import type { PackedBytes } from './packed-bytes.ts';
import type { Parcel } from './parcel.ts';
import type { PostgresqlTarget } from './postgresql/url.ts';

/**
 * What an engine has to know of a provider, with some of its options. As a `ProviderMessage` it crosses; the worker adds what
 * failed (`Member`, in `worker/engine.ts`) and the file (`FileMember`, in `worker/file.ts`).
 */
export interface ProviderFacts extends Pick<ProviderSettings, 'VerifyValues' | 'Durability' | 'BusyTimeoutMs'> {
  storeId: string;
  /** In a database that several processes share: whether no other one may write the store meanwhile. */
  exclusive: boolean;
  /** In such a database: whether it has had the store, as the main thread was, or is about to be, told. */
  owned: boolean;
}

/** Where a database is. */
export interface Location {
  /** As it is named in messages: a path, or what says where a server's database is. */
  path: string;
  /** What SQLite is told besides, as in a URL; empty but for `file:` URLs that ask for a connection of its own kind. */
  parameters: string;
  /** The same for all that lead to the same database in the same way; `undefined` for one that nobody else can reach. */
  key: string | undefined;
  /** Gone with its connection. */
  transient: boolean;
  server?: PostgresqlSettings;
}

/** A provider as the worker knows it. */
export interface ProviderMessage extends ProviderFacts, Location {
  /** Number of the provider within its worker, and of its file. */
  member: number;
  file: number;
  /** Where the delays of the file's commits are counted. */
  delays: SharedArrayBuffer;
  /** That of the last snapshot of this provider, if it was not stored; after the loss of a worker. */
  snapshotFailure: { failure: Failure; batch: number | undefined } | undefined;
  /** Its values that were not stored; after the loss of a worker. */
  failedSaves: readonly FailedSave<Failure>[];
  /** The one that this provider came with, if so. */
  password: string | undefined;
}

/** What the main thread answers by Comlink, on a port of its own, where a provider came with the option `Password`. */
export interface PasswordSource {
  password(): Promise<string>;
}

/** Of all providers of one PostgreSQL database: as the first of them has it. */
export interface PostgresqlSettings extends Pick<ProviderSettings, (typeof sharedOptions)[number]> {
  target: PostgresqlTarget;
  /** By which the server knows this process; the same for a worker and its successors. */
  session: string;
  /** Files and folders from where to look for the package `pg`. */
  searchPaths: readonly string[];
}

/** Large bytes: a view's buffer, handed over or shared; or the port of a parcel, which has all of them. */
export interface Bytes {
  buffer: ArrayBuffer | SharedArrayBuffer | MessagePort;
  start: number;
  length: number;
}

/** All that lies in a store. */
export interface StoreFound {
  snapshot: Uint8Array | undefined;
  snapshotClock: number | undefined;
  /** All of them in order, those included that the snapshot covers. */
  patches: PackedBytes;
  /** The highest number of a patch or the snapshot; 0 if there is neither. */
  lastClock: number;
}

/** The same with its bytes in a parcel: the snapshot, if there is one, and the patches behind it. */
export interface StoreInParcel {
  parcel: Parcel;
  snapshotClock: number | undefined;
  snapshotBytes: number;
  /** How many there are. */
  patches: number;
  patchBytes: number;
  lastClock: number;
}

/** Records in the order in which they were made: the key of each, and their data as of patches. */
export interface RecordsFound {
  keys: string[];
  data: PackedBytes;
}

interface StoresFound {
  stores: string[];
}

export type Found = Uint8Array | PackedBytes | StoreFound | StoreInParcel | RecordsFound | StoresFound | undefined;

/** What a load found, or why it failed: of an error, Comlink would carry only the message. */
export type Loaded = { found: Found } | { failure: Failure };

/** `askedAt` is as in `clock.ts`; `key` and `clock` are '' and 0 where an operation has none. */
export type LoadRequest = readonly [
  member: number,
  askedAt: number,
  operation: LoadOperation,
  key: string,
  clock: number,
];

/** What became of an `attach` or `detach`. */
export interface Report {
  failure?: Failure;
}

/** All of it takes effect in the order of the calls, batches of the ring included. */
export interface WorkerService {
  /** Makes a provider known and opens its database; `passwords` is the port of a `PasswordSource`. */
  attach(provider: ProviderMessage, passwords?: MessagePort): Promise<Report>;
  /** Forgets a provider, after all that was called before; with a file's last one, closes the database. */
  detach(member: number): Promise<Report>;

  /**
   * Loads of one file, in order: at least one. Resolves with what the first of them have come to, or all: what waits for a lock
   * or a server holds back none before it, and what is read in one go for long, only itself.
   *
   * @param call - the number of this call, by which the rest is asked for
   */
  load(call: number, requests: readonly LoadRequest[]): Promise<Loaded[]>;
  /** What the next ones have come to of a call that was answered in part. */
  loadRest(file: number, call: number): Promise<Loaded[]>;
  /** Nobody will ask for the rest of that call: what it found is let go of, and calls behind it are answered. */
  leaveRest(file: number, call: number): void;
  /**
   * A large write: what the ring tells of other batches, and its bytes. Resolves once it is finished; its entry says what became of it.
   * One whose bytes are lost comes by the ring.
   */
  write(file: number, number: number, firstSlab: number, askedAt: number, data: Bytes): Promise<void>;

  /** Calls the worker from its event loop to the ring; so many bytes of shared blocks that crossed before are not used any more. */
  wake(dropped: number): void;
  /** From now on batches lie in this arena. */
  useArena(arena: SharedArrayBuffer): void;
  /** Serves another worker besides, through this port: there is no thread to be had for it. */
  serve(shared: SharedMemory, port: MessagePort): void;
  /** Closes all files, as the process ends. */
  retire(): void;
}
