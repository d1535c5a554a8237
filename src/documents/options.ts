/** Options of what keeps documents: those of the provider behind it, in the form of the world of these documents, and its own. */
import type { ResourceLimits } from 'node:worker_threads';
import { SDS_PersistenceError, type SDS_ProviderOptions } from '../main/index.ts';
import { type Acceptance, checkOptions } from '../main/option-checks.ts';
import type { OnError } from './trouble.ts';

/** Of whatever stores something in a database. */
export interface StorageOptions {
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
}

export interface DocumentOptions extends StorageOptions {
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
} as const satisfies Record<keyof StorageOptions, keyof SDS_ProviderOptions>;

const anything: Acceptance = { what: 'anything', test: () => true };
const accepted: Record<string, Acceptance> = {
  ...Object.fromEntries(Object.keys(passedOn).map((name) => [name, anything])),
  onError: { what: 'a function', test: (value) => typeof value === 'function' },
};
const anObject: Acceptance = { what: 'an object', test: (value) => typeof value === 'object' && value !== null };

export interface StorageSettings {
  provider: SDS_ProviderOptions;
  onError: OnError | undefined;
}

export interface Settings extends StorageSettings {
  limits: ResourceLimits;
}

/**
 * Reads the options, and those of `own`, which are returned as they are.
 *
 * @throws SDS_PersistenceError `invalid-argument`
 */
export function readStorageOptions<Own extends object>(
  options: Own & StorageOptions & { onError?: OnError },
  own: Readonly<Record<keyof Own, Acceptance>>,
): StorageSettings & { own: Own } {
  const checked = checkOptions(options, { ...accepted, ...own });
  if (typeof checked === 'string') throw new SDS_PersistenceError('invalid-argument', checked);
  const provider = Object.entries(passedOn).flatMap(([name, theirs]) =>
    name in checked ? [[theirs, checked[name]]] : [],
  );
  return {
    provider: Object.fromEntries(provider),
    onError: checked.onError as OnError | undefined,
    own: checked as Own,
  };
}

/** The same for documents that are merged. */
export function readDocumentOptions<Own extends object>(
  options: Own & DocumentOptions,
  own: Readonly<Record<keyof Own, Acceptance>>,
): Settings & { own: Own } {
  const settings = readStorageOptions<Own & Pick<DocumentOptions, 'resourceLimits'>>(options, {
    ...own,
    resourceLimits: anObject,
  });
  return {
    ...settings,
    // no two processes know of each other's numbers
    provider: { ...settings.provider, OnClockCollision: 'keep' },
    limits: settings.own.resourceLimits ?? {},
  };
}
