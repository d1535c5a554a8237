/** Options of what keeps documents: those of the provider behind it, in the form of the world of these documents, and its own. */
import { SDS_PersistenceError, type SDS_ProviderOptions } from '../main/index.ts';
import { type Acceptance, checkOptions } from '../main/option-checks.ts';
import type { DocumentOptions, MergingLimits, OnError } from '../protocol/document-options.ts';

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
  limits: MergingLimits;
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
