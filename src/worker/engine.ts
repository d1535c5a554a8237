/**
 * The seam between the worker's service and a database. Everything that knows SQL stays behind it.
 * Methods that do work may return a promise, so that a database in a network can join: its file then
 * waits, and the thread serves its event loop meanwhile.
 */
import type { MessagePort } from 'node:worker_threads';
import { cellTime, msSince } from '../protocol/clock.ts';
import type { Delays } from '../protocol/delays.ts';
import type { WriteOperation } from '../protocol/entries.ts';
import { type Failure, reportedOf } from '../protocol/errors.ts';
import type { FailedSaves } from '../protocol/failed-saves.ts';
import type { PackedBytes } from '../protocol/packed-bytes.ts';
import type { ProviderFacts, RecordsFound, StoreFound } from '../protocol/service.ts';
import { performance } from '../protocol/surroundings.ts';

export type MaybePromise<T> = T | Promise<T>;

/**
 * Where a commit is published: `cells[index] = value` must follow the commit with nothing between that
 * a terminated thread could stop at, not even the call of `Atomics.store`, else work is done twice.
 */
export interface CommitPoint {
  cells: Int32Array;
  index: number;
  value: number;
  /** When that was called, batch by batch, as in `clock.ts`; and where the delay until the commit is counted: see `noteCommit`. */
  askedAt: readonly number[];
  delays: Delays;
  /**
   * What that stands for, for a database that keeps a record of it: the batch's number, of several that are
   * committed together the last one's; the first one's; and how many promises of it are dealt with, if it is done one by one.
   */
  number: number;
  first: number;
  part: number;
}

/** Notes when it was committed. Called right after it is published: a checkpoint may follow. */
export function noteCommit({ askedAt, delays }: CommitPoint): void {
  const now = cellTime(performance.now());
  for (const at of askedAt) delays.add(msSince(at, now));
}

/** `part` of what is committed as a whole. */
export const WHOLE = 2 ** 31 - 1;

/** What the database has to know of the provider behind a call: as it was told, and what is known of failed calls. */
export interface Member extends ProviderFacts {
  /** That of the last snapshot of this provider, if it was not stored: a prune that relies on it must not be carried out. */
  snapshotFailure: { failure: EngineError; batch: number | undefined } | undefined;
  /** Values whose saves failed, with what their releases fail with; `undefined` if there was never one. */
  failedSaves?: FailedSaves<EngineError> | undefined;
  /** For a server; or the port on which the main thread answers with one. */
  password?: string | MessagePort | undefined;
}

/** A cursor over writes: `next()` moves to one, whose parts are then in the fields. */
export interface Writes {
  next(): boolean;
  readonly operation: WriteOperation;
  readonly member: Member;
  readonly clock: number;
  readonly key: string;
  /** Of a patch: whether it is stored under the next free number if its own is taken by other bytes. */
  readonly keepsBoth: boolean;
  /** Of a value that is saved or released: whether its promise has resolved at the call. */
  readonly isAcknowledged: boolean;
  /** The last batch of whose failures the program could know at the call. */
  readonly heard: number;
  /** Valid until the transaction ends. */
  readonly data: Uint8Array;
  /** By which a call is told apart from the others of its transaction. */
  readonly at: number;
  /**
   * Marks a patch that was ignored although the one under its number is another, or a compaction that was not carried out
   * because the store is not as it was seen. Only before the commit is published. An attempt that fails has marked nothing.
   */
  markWithoutEffect(at: number): void;
}

/** What every engine does; what only some have to do is optional. See docs/engines.md. */
export interface Engine {
  /** Opens the database for a provider, if it is not open, or is open but its file is gone. */
  attach(member: Member): MaybePromise<void>;
  /** Carries out writes in one transaction, all or none, and publishes the commit. */
  transact(writes: Writes, commitPoint: CommitPoint): MaybePromise<void>;
  loadSnapshot(member: Member): MaybePromise<Uint8Array | undefined>;
  loadPatchesSince(member: Member, clock: number): MaybePromise<PackedBytes>;
  loadValue(member: Member, hash: string): MaybePromise<Uint8Array | undefined>;
  loadStore(member: Member): MaybePromise<StoreFound>;
  /** All stores that have a snapshot, patches or records, in ascending order of their names' UTF-8 bytes. */
  listStores(member: Member): MaybePromise<string[]>;
  loadRecord(member: Member, key: string): MaybePromise<Uint8Array | undefined>;
  /** Those of the member's store whose key begins so, in the order in which they were made. */
  loadRecords(member: Member, prefix: string): MaybePromise<RecordsFound>;
  close(): MaybePromise<void>;
  /** Of a file in which no document of this package is: one that another program has stored there, if there is any. */
  listNotImported?(): string[];
  /** The level of durability from now on. */
  setDurability?(full: boolean): void;
  /** Tidies up a little, in a pause of some milliseconds. */
  pause?(): void;
  /** Tidies up while there is nothing else to do; returns whether to come again later. */
  tidyUp?(): boolean;

  // ---- a database that several processes share, over a network

  /**
   * Told before each task when it was called, as in `clock.ts`; of several calls, the first one. Again if they are tried by themselves
   * then, because they have waited together, and once a provider that goes does not count any more.
   *
   * @param lockMs - for how long it may wait for a lock
   */
  taskBegins?(askedAt: number, lockMs: number): void;
  /** Told at once of a provider that will be attached, once what was called before is done. */
  announce?(member: Member): void;
  /** Told at once of a provider that goes, of which nothing but an `attach` is under way; what it returns is done in its turn. */
  detach?(member: Member): () => MaybePromise<void>;
}

/** A failure of a database, with the code that callers will see. */
export class EngineError extends Error {
  readonly code: Failure['code'];
  readonly reported: Failure['cause'];
  /** Whether it concerns some of the calls, although its code says that of the whole database in most cases. */
  onlyOfSome: boolean;
  /** The same, if that is not known: of `database-busy`, which passes with time; something of one store alone may be locked. */
  mayBeOfSome = false;
  /** Whether what was to be committed may be stored all the same. */
  mayBeStored = false;

  constructor(code: Failure['code'], reported: Failure['cause'], onlyOfSome = false) {
    super(reported.message);
    this.code = code;
    this.reported = reported;
    this.onlyOfSome = onlyOfSome;
  }

  /** Whatever was thrown, as a failure of the call that it was thrown in: with this code, if it has none. */
  static of(thrown: unknown, code: Failure['code']): EngineError {
    return thrown instanceof EngineError ? thrown : new EngineError(code, reportedOf(thrown));
  }
}
