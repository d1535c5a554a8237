/** Counts what goes through a file's queue. */
import { Delays } from '../../protocol/delays.ts';
import { performance } from '../../protocol/surroundings.ts';

/** One cell, counted up with each batch and large write that is settled: operations on whole files give way to them. */
export const traffic = new Int32Array(new SharedArrayBuffer(4));

interface EndedBatch {
  readonly patches: number;
  readonly patchBytes: number;
  readonly isWaitedFor: boolean;
}

export class FileObserver {
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
  waitedForBatches = 0;
  heldCalls = 0;
  heldMs = 0;
  readonly delays = new Delays();

  /** Told of a batch that has ended, with how many patches it had, and how many bytes these have. */
  ended({ patches, patchBytes, isWaitedFor }: EndedBatch, hasFailed: boolean): void {
    this.settled += patches;
    this.settledBytes += patchBytes;
    this.batches++;
    if (isWaitedFor) this.waitedForBatches++;
    traffic[0] = ((traffic[0] ?? 0) + 1) | 0;
    if (!hasFailed) return;
    this.failedBatches++;
    this.failed += patches;
    this.failedBytes += patchBytes;
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
