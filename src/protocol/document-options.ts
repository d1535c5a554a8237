/** Options of what keeps documents, in the form of the world of these documents. */
import type { SDS_PersistenceError } from './errors.ts';

/** Called with each failure that no promise tells, and the document's name. */
export type OnError = (error: SDS_PersistenceError, name: string) => void;

/** What a thread may use, as `node:worker_threads` has it: at least 16 MB of old generation, and 1 MB each of young one and stack. */
export interface MergingLimits {
  maxOldGenerationSizeMb?: number;
  maxYoungGenerationSizeMb?: number;
  codeRangeSizeMb?: number;
  stackSizeMb?: number;
}

/** Of whatever stores something in a database. */
export interface StorageOptions {
  /** `'normal'` (default): what is acknowledged survives the end of the process; `'full'`: also a power cut. */
  durability?: 'normal' | 'full';
  /**
   * For how many milliseconds a write waits for another process's, and on PostgreSQL a load for a document that another process has.
   * Default 5000, for such a document 5000 more than `leaseMs`.
   */
  busyTimeoutMs?: number;
  /** How many bytes may wait for their commit. Default 64 MiB. */
  maxPendingBytes?: number;
  /** What happens to an update beyond that: `'block'` (default for files) holds the caller, `'reject'` (default on PostgreSQL) rejects it. */
  overflow?: 'block' | 'reject';
  /** On PostgreSQL: whether a document belongs to one process, which the server enforces (`'exclusive'`, default), or to any number (`'shared'`). */
  ownership?: 'exclusive' | 'shared';
  /** On PostgreSQL, as those that follow: see the options of the provider with these names. */
  leaseMs?: number;
  createTables?: boolean;
  connectTimeoutMs?: number;
  retryForMs?: number;
  password?: () => Promise<string>;
}

export interface DocumentOptions extends StorageOptions {
  /**
   * What the thread that merges documents may use; of what exceeds it, updates stay as they are. Default: as Node has it,
   * but for a young generation of 8 MB.
   */
  resourceLimits?: MergingLimits;
  /**
   * Called with what no promise tells, and the document's name: an update was not stored yet, a document not loaded, or not compacted.
   * Without it, a process warning says so, once each.
   */
  onError?: OnError;
}
