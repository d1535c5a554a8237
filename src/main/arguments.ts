/** Checks of what callers pass: nothing of a bad call is queued, nothing of it is stored. */
import type { SeenStore } from '../protocol/compaction.ts';
import type { SDS_StoreContents } from '../protocol/contents.ts';
import {
  defaultSettings,
  type ProviderSettings,
  type SDS_ProviderOptions,
  serverDefaults,
} from '../protocol/options.ts';
import { Buffer } from '../protocol/surroundings.ts';
import { type Acceptance, checkOptions, describe, integer, oneOf, textOf, yesOrNo } from './option-checks.ts';

/** Longer keys would not fit beside the patches. */
const MAX_KEY_BYTES = 65_536;

/** Says what is wrong with a patch number, `undefined` if nothing is. */
export function faultOfClock(value: unknown, name: string): string | undefined {
  if (Number.isSafeInteger(value)) return undefined;
  return `${name} must be an integer within ±(2^53 - 1), not ${describe(value)}`;
}

/** Says what is wrong with a value's hash, or with a record's key or the beginning of one; `undefined` if nothing is. */
export function faultOfKey(value: unknown, name: string): string | undefined {
  if (typeof value !== 'string') return `${name} must be a string, not ${describe(value)}`;
  if (value.length > MAX_KEY_BYTES / 3 && Buffer.byteLength(value) > MAX_KEY_BYTES) {
    return `${name} is longer than ${MAX_KEY_BYTES} bytes`;
  }
  return undefined;
}

/** What a compaction was made from, each property read once: it may be of getters, or a revoked proxy. Or what is wrong with it. */
export function readContents(contents: unknown): { seen: SeenStore; lastClock: number } | string {
  if (typeof contents !== 'object' || contents === null)
    return `Contents must be what loadStore returned, not ${describe(contents)}`;
  try {
    const { Patches, SnapshotClock, LastClock } = contents as Partial<SDS_StoreContents>;
    if (!Array.isArray(Patches)) return `Contents.Patches must be an array, not ${describe(Patches)}`;
    const { length } = Patches;
    if (!Number.isSafeInteger(length)) return `Contents.Patches.length must be an integer, not ${describe(length)}`;
    const fault =
      (SnapshotClock === undefined ? undefined : faultOfClock(SnapshotClock, 'Contents.SnapshotClock')) ??
      faultOfClock(LastClock, 'Contents.LastClock');
    if (fault !== undefined) return fault;
    return { seen: { snapshotClock: SnapshotClock, patches: length }, lastClock: LastClock as number };
  } catch (error) {
    return `Contents can not be read: ${textOf(error)}`;
  }
}

/** The options with their defaults, and those among them that the caller has given. */
interface Options {
  settings: ProviderSettings;
  given: Readonly<Record<string, unknown>>;
}

/** Fills in the defaults, those of a database on a server or of a file, or says which option is wrong. */
export function readOptions(options: SDS_ProviderOptions | undefined, isServer: boolean): Options | string {
  const settings = readEnvironment({ ...defaultSettings, ...(isServer ? serverDefaults : {}) });
  if (typeof settings === 'string') return settings;
  const given = options === undefined ? {} : checkOptions(options, accepted);
  if (typeof given === 'string') return given;
  return { settings: { ...settings, ...given } as unknown as ProviderSettings, given };
}

/** The defaults, where the environment does not say otherwise; or which variable is wrong. */
function readEnvironment(defaults: ProviderSettings): Record<string, unknown> | string {
  const settings: Record<string, unknown> = { ...defaults };
  for (const [variable, option] of Object.entries(variables)) {
    const text = process.env[variable];
    if (text === undefined || text === '') continue;
    const value = /^\d+$/.test(text) ? Number(text) : text;
    const accepts = option === undefined ? workers : accepted[option];
    if (!accepts.test(value)) {
      return `the environment variable ${variable} must be ${accepts.what}, not ${describe(text)}`;
    }
    if (option !== undefined) settings[option] = value;
  }
  return settings;
}

/** From outside, by whoever swaps the provider and changes no line of the program. How many threads there are is no option. */
const variables: Readonly<Record<string, keyof SDS_ProviderOptions | undefined>> = {
  SDS_PERSISTENCE_WORKERS: undefined,
  SDS_PERSISTENCE_DURABILITY: 'Durability',
  SDS_PERSISTENCE_ACKNOWLEDGE: 'Acknowledge',
  SDS_PERSISTENCE_BUSY_TIMEOUT_MS: 'BusyTimeoutMs',
  SDS_PERSISTENCE_ON_CLOCK_COLLISION: 'OnClockCollision',
};

const workers = integer(1, 64);

/** Times are told to workers in cells that wrap after little more: see `protocol/clock.ts`. */
const MOST_RETRY_MS = 30 * 60_000;

const accepted: Record<keyof SDS_ProviderOptions, Acceptance> = {
  Durability: oneOf('normal', 'full'),
  Acknowledge: oneOf('queued', 'committed'),
  BusyTimeoutMs: integer(0, 2_147_483_647),
  TransferSnapshots: yesOrNo,
  MaxPendingBytes: integer(1, Number.MAX_SAFE_INTEGER),
  Overflow: oneOf('block', 'reject'),
  OnClockCollision: oneOf('ignore', 'keep', 'keep-concurrent'),
  VerifyValues: yesOrNo,
  Ownership: oneOf('exclusive', 'shared'),
  LeaseMs: integer(1000, 2_147_483_647),
  CreateTables: yesOrNo,
  ConnectTimeoutMs: integer(1, 2_147_483_647),
  RetryForMs: integer(0, MOST_RETRY_MS),
  Password: { what: 'a function', test: (value) => typeof value === 'function', isSecret: true },
};
