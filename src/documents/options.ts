/** Options of what keeps documents: those of the provider behind it, in the form of the world of these documents, and its own. */
import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SDS_PersistenceError, type SDS_ProviderOptions } from '../main/index.ts';
import { type Acceptance, checkOptions } from '../main/option-checks.ts';
import { accepted as acceptedByProvider } from '../main/provider-options.ts';
import type { DocumentOptions, MergingLimits, OnError, StorageOptions } from '../protocol/document-options.ts';

/** By the provider's name for it. */
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

const accepted: Record<string, Acceptance> = {
  // here, and not by the provider alone: the message has the name that the caller knows
  ...Object.fromEntries(Object.entries(passedOn).map(([name, theirs]) => [name, acceptedByProvider[theirs]])),
  onError: { what: 'a function', test: (value) => typeof value === 'function' },
};
const anObject: Acceptance = { what: 'an object', test: (value) => typeof value === 'object' && value !== null };

/** A young generation that may grow, to 48 MB, has taken a process with a document of 5 MB 190 MB, which it kept; this one 60. */
const defaultLimits: MergingLimits = { maxYoungGenerationSizeMb: 8 };

const megabytes = (least: number): Acceptance => ({
  what: `a number of ${least} or more`,
  test: (value) => typeof value === 'number' && value >= least,
});

/** Node takes any number. With less memory, or a stack of 0.1, a thread that starts takes the process with it (Node 24: below 4). */
const acceptedLimits: Record<keyof MergingLimits, Acceptance> = {
  maxOldGenerationSizeMb: megabytes(16),
  maxYoungGenerationSizeMb: megabytes(1),
  codeRangeSizeMb: megabytes(0),
  stackSizeMb: megabytes(1),
};

export interface Settings {
  provider: SDS_ProviderOptions;
  onError: OnError | undefined;
  limits: MergingLimits;
}

/** Reads the options, and those of `own`, which are returned as they are. */
export function readStorageOptions<Own extends object>(
  options: Own & StorageOptions & { onError?: OnError },
  own: Readonly<Record<keyof Own, Acceptance>>,
): Omit<Settings, 'limits'> & { own: Own } {
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

/** The same for documents that are merged; `needed` is one of `own`. */
export function readDocumentOptions<Own extends object>(
  options: Own & DocumentOptions,
  own: Readonly<Record<keyof Own, Acceptance>>,
  needed: keyof Own & string,
): Settings & { own: Own } {
  const settings = readStorageOptions<Own & Pick<DocumentOptions, 'resourceLimits'>>(options, {
    ...own,
    resourceLimits: anObject,
  });
  if (settings.own[needed] === undefined) {
    throw new SDS_PersistenceError('invalid-argument', `the option ${needed} is missing: ${own[needed].what}`);
  }
  const limits = checkOptions(settings.own.resourceLimits ?? {}, acceptedLimits);
  if (typeof limits === 'string') throw new SDS_PersistenceError('invalid-argument', `resourceLimits: ${limits}`);
  return {
    ...settings,
    // no two processes know of each other's numbers
    provider: { ...settings.provider, OnClockCollision: 'keep' },
    limits: { ...defaultLimits, ...limits },
  };
}

/** `undefined` if it is none; a URL may be of another realm. A path with a `#` or a drive would not be found as it is. */
export function urlOf(module: unknown): string | undefined {
  if (typeof module === 'string') return isAbsolute(module) ? pathToFileURL(module).href : module;
  const { href } = (module ?? {}) as { href?: unknown };
  return typeof href === 'string' ? href : undefined;
}
