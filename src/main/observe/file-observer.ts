/** Counts what goes through a file's queue, and tells of its commits and loads. */
import { Delays } from '../../protocol/delays.ts';
import type { SDS_PersistenceError } from '../../protocol/errors.ts';
import { performance } from '../../protocol/surroundings.ts';
import { begin, type Trace, tellOfError } from './channels.ts';

/** One cell, counted up with each batch and large write that is settled: operations on whole files make room for them. */
export const traffic = new Int32Array(new SharedArrayBuffer(4));

/** A batch. What had been appended to its file when it was complete: with the totals before it, that gives its own. */
export interface Watched {
  appendedUpTo: number;
  appendedBytesUpTo: number;
  trace: Trace | undefined;
}

export class FileObserver {
  readonly #path: string;
  /** Patches and their bytes: appended, dealt with, and of those the ones in something that failed. */
  appended = 0;
  appendedBytes = 0;
  settled = 0;
  settledBytes = 0;
  failed = 0;
  failedBytes = 0;
  /** Transactions' worth of calls that were committed, or failed. */
  batches = 0;
  failedBatches = 0;
  heldCalls = 0;
  heldMs = 0;
  readonly delays = new Delays();

  constructor(path: string) {
    this.#path = path;
  }

  /** It has its place in the queue: only now may others hear of it. */
  registered(watched: Watched): void {
    watched.trace = begin('commit', () => ({ Path: this.#path }));
  }

  completed(watched: Watched): void {
    watched.appendedUpTo = this.appended;
    watched.appendedBytesUpTo = this.appendedBytes;
  }

  ended(watched: Watched, error: SDS_PersistenceError | undefined): void {
    const patches = watched.appendedUpTo - this.settled;
    const bytes = watched.appendedBytesUpTo - this.settledBytes;
    this.settled = watched.appendedUpTo;
    this.settledBytes = watched.appendedBytesUpTo;
    this.batches++;
    traffic[0] = ((traffic[0] ?? 0) + 1) | 0;
    if (error !== undefined) {
      this.failedBatches++;
      this.failed += patches;
      this.failedBytes += bytes;
      tellOfError(error, this.#path);
    }
    watched.trace?.end({ Patches: patches, Bytes: bytes }, error);
  }

  beganLoad(call: string): Trace | undefined {
    return begin('load', () => ({ Path: this.#path, Call: call }));
  }

  endedLoad(trace: Trace | undefined, error?: SDS_PersistenceError): void {
    if (error !== undefined) tellOfError(error, this.#path);
    trace?.end({}, error);
  }

  /** Holds a caller, and counts for how long. */
  hold(wait: () => void): void {
    const begunAt = performance.now();
    try {
      wait();
    } finally {
      this.heldCalls++;
      this.heldMs += performance.now() - begunAt;
    }
  }
}
