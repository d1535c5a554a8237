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
  /** How many bytes may wait for their commit, in one worker thread, for all that it serves. Default 64 MiB. */
  maxPendingBytes?: number;
  /** What happens to an update beyond that: `'block'` (default for files) holds the caller, `'reject'` (default on PostgreSQL) rejects it (`queue-full`). */
  overflow?: 'block' | 'reject';
  /** On PostgreSQL: whether a document belongs to one process, which the server enforces (`'exclusive'`, default), or to any number (`'shared'`). */
  ownership?: 'exclusive' | 'shared';
  /**
   * On PostgreSQL, as those that follow, which have to be the same for all that a process has open on one database: for how many
   * milliseconds this process keeps its documents without a sign of life. Default 10,000; at least 1,000.
   */
  leaseMs?: number;
  /** Whether tables that are missing are made. Default true; if false, opening rejects with `open-failed` where they are. */
  createTables?: boolean;
  /** How many milliseconds an attempt to connect to one host may take. Default 5,000. */
  connectTimeoutMs?: number;
  /** For how many milliseconds calls wait for a server that is away, before they reject with `connection-failed`. Default 30,000; 0 tries once. */
  retryForMs?: number;
  /** Called in this thread for the password of each connection, in the place of the one in the URL, which may have expired. */
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
