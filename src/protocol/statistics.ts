/** What a provider's `statistics()` returns: plain numbers, each with its unit in its name or its description. */

/** Of a provider, its file, and the worker that serves it, since each of them came to be in this process. */
export interface SDS_Statistics {
  /** The file, by its real path; of a database on a server, its name and hosts as in messages. */
  Path: string;
  StoreId: string;
  /**
   * Patches of all providers of this process on the file: appended; of those not dealt with yet; committed, without
   * those of batches in which a call failed. And the bytes of these patches.
   */
  Patches: { Appended: number; Pending: number; Committed: number; Failed: number };
  PatchBytes: { Appended: number; Pending: number; Committed: number; Failed: number };
  /**
   * Batches, and large writes that cross alone, that were dealt with; those in which a call failed; and batches that were committed at
   * once because somebody waited for a promise: where nearly all are, each costs both threads more.
   */
  Batches: { Finished: number; Failed: number; WaitedFor: number };
  /**
   * Milliseconds from the first call of a batch to its commit in the worker; with `Durability: 'full'` to the moment
   * when it is on the disk. This thread may hear of it up to 100 ms later, where nobody waits for a promise.
   */
  CommitDelayMs: { P50: number; P99: number; Max: number };
  /** Calls that were held inside the call because `MaxPendingBytes` were waiting, and for how many milliseconds in all. */
  Held: { Calls: number; DurationMs: number };
  /** Patches of this provider that were lost because their number was taken by other bytes. */
  ClockCollisions: number;
  /** Of the worker that serves the file, and others too: */
  Worker: {
    /** how often it was lost and replaced, */
    Restarts: number;
    /** how many checkpoints it ran, on all its files, and for how many milliseconds in all, */
    Checkpoints: number;
    CheckpointMs: number;
    /** bytes of calls that wait for their commit, by the memory that they occupy, */
    PendingBytes: number;
    /** and bytes of shared memory reserved for them. */
    SharedBytes: number;
  };
  /** Bytes of the file and of its log; 0 for what is not there, a database in memory, or on a server. */
  FileBytes: number;
  LogBytes: number;
}
