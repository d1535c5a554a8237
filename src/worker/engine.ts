/**
 * The seam between the worker's service and a database. Everything that knows SQL stays behind it.
 * Methods that do work may return a promise, so that a database in a network can join: its lane then
 * waits, and the thread serves its event loop meanwhile.
 */
import type { ReportedCause, SDS_PersistenceErrorCode } from '../protocol/errors.ts';
import type { ReadResult } from '../protocol/service.ts';
import type { CallReader } from './call-reader.ts';

export type MaybePromise<T> = T | Promise<T>;

/**
 * Where a commit is published: `cells[index] = value` must follow the commit with nothing between that
 * a terminated thread could stop at, not even the call of `Atomics.store`, else work is done twice.
 */
export interface CommitPoint {
  cells: Int32Array;
  index: number;
  value: number;
}

export interface Engine {
  /** Opens the database if it is not open, or is open but its file is gone. */
  open(): MaybePromise<void>;
  /**
   * Carries out calls in one transaction, all or none, publishes the commit, and answers the reads.
   * What it marks in the batch, it marks before the commit.
   */
  transact(calls: CallReader, commitPoint: CommitPoint): MaybePromise<ReadResult[]>;
  /** The level of durability from now on. */
  setDurability(full: boolean): void;
  /** Tidies up while there is nothing else to do; returns whether to come again later. */
  tidyUp(): MaybePromise<boolean>;
  close(): MaybePromise<void>;
  readonly version: string;
}

/** A failure of a database, with the code that callers will see. */
export class EngineError extends Error {
  readonly code: SDS_PersistenceErrorCode;
  readonly reported: ReportedCause;

  constructor(code: SDS_PersistenceErrorCode, reported: ReportedCause) {
    super(reported.message);
    this.code = code;
    this.reported = reported;
  }
}
