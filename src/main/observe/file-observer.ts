/** Counts what goes through a file's queue, and tells of its commits and loads. */
import { Delays } from '../../protocol/delays.ts';
import type { SDS_PersistenceError } from '../../protocol/errors.ts';
import { performance } from '../../protocol/surroundings.ts';
import { type Trace, tellOfError } from './channels.ts';

/** One cell, counted up with each batch and large write that is settled: operations on whole files make room for them. */
export const traffic = new Int32Array(new SharedArrayBuffer(4));

/** A batch: how many patches it has, and how many bytes these have. */
export interface Watched {
  readonly patches: number;
  readonly patchBytes: number;
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

  ended({ patches, patchBytes, trace }: Watched, error: SDS_PersistenceError | undefined): void {
    this.settled += patches;
    this.settledBytes += patchBytes;
    this.batches++;
    traffic[0] = ((traffic[0] ?? 0) + 1) | 0;
    if (error !== undefined) {
      this.failedBatches++;
      this.failed += patches;
      this.failedBytes += patchBytes;
      tellOfError(error, this.#path);
    }
    trace?.end({ Patches: patches, Bytes: patchBytes }, error);
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
