/** Options of what keeps documents: those of the provider behind it, in the form of the world of these documents, and its own. */
import type { ResourceLimits } from 'node:worker_threads';
import { SDS_PersistenceError, type SDS_ProviderOptions } from '../main/index.ts';
import { type Acceptance, checkOptions } from '../main/option-checks.ts';
import type { OnError } from './trouble.ts';

export interface DocumentOptions {
  /** `'normal'` (default): what is acknowledged survives the end of the process; `'full'`: also a power cut. */
  durability?: 'normal' | 'full';
  /** For how many milliseconds a write waits for another process's. Default 5000. */
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
  /** What the thread that merges documents may use; of what exceeds it, updates stay as they are. Default: as Node has it. */
  resourceLimits?: ResourceLimits;
  /**
   * Called with what no promise tells, and the document's name: an update was not stored yet, a document not loaded, or not compacted.
   * Without it, a process warning says so, once each.
   */
  onError?: OnError;
}

/** By the provider's name for it; the provider checks the values. */
const passedOn = {
  durability: 'Durability',
  busyTimeoutMs: 'BusyTimeoutMs',
  maxPendingBytes: 'MaxPendingBytes',
  overflow: 'Overflow',
  ownership: 'Ownership',
  leaseMs: 'LeaseMs',
  createTables: 'CreateTables',
  connectTimeoutMs: 'ConnectTimeoutMs',
  retryForMs: 'RetryForMs',
  password: 'Password',
} as const satisfies Partial<Record<keyof DocumentOptions, keyof SDS_ProviderOptions>>;

const anything: Acceptance = { what: 'anything', test: () => true };
const accepted: Record<string, Acceptance> = {
  ...Object.fromEntries(Object.keys(passedOn).map((name) => [name, anything])),
  resourceLimits: { what: 'an object', test: (value) => typeof value === 'object' && value !== null },
  onError: { what: 'a function', test: (value) => typeof value === 'function' },
};

export interface Settings {
  provider: SDS_ProviderOptions;
  limits: ResourceLimits;
  onError: OnError | undefined;
}

/**
 * Reads the options, and those of `own`, which are returned as they are.
 *
 * @throws SDS_PersistenceError `invalid-argument`
 */
export function readDocumentOptions<Own extends object>(
  options: Own & DocumentOptions,
  own: Readonly<Record<keyof Own, Acceptance>>,
): Settings & { own: Own } {
  const checked = checkOptions(options, { ...accepted, ...own });
  if (typeof checked === 'string') throw new SDS_PersistenceError('invalid-argument', checked);
  const { onError, resourceLimits = {} } = checked as DocumentOptions;
  const provider = Object.entries(passedOn).flatMap(([name, theirs]) =>
    name in checked ? [[theirs, checked[name]]] : [],
  );
  return {
    // no two processes know of each other's numbers
    provider: { ...Object.fromEntries(provider), OnClockCollision: 'keep' },
    limits: resourceLimits,
    onError,
    own: checked as Own,
  };
}
