/** The options of a provider: those that are given, the environment's, and the defaults. */
import {
  defaultSettings,
  type ProviderSettings,
  type SDS_ProviderOptions,
  serverDefaults,
} from '../protocol/options.ts';
import { type Acceptance, checkOptions, describe, integer, oneOf, yesOrNo } from './option-checks.ts';

/** The options with their defaults, and those among them that the caller has given. */
interface Options {
  settings: ProviderSettings;
  given: Readonly<Record<string, unknown>>;
}

/** Fills in the defaults, those of a database on a server or of a file, or says which option is wrong. */
export function readOptions(options: SDS_ProviderOptions | undefined, isServer: boolean): Options | string {
  const environment = readEnvironment();
  if (typeof environment === 'string') return environment;
  const given = options === undefined ? {} : checkOptions(options, accepted);
  if (typeof given === 'string') return given;
  const set: SDS_ProviderOptions = { ...environment, ...given };
  const settings = { ...defaultSettings, ...(isServer ? serverDefaults : {}), ...set };
  const StoreWaitMs = set.BusyTimeoutMs ?? settings.LeaseMs + settings.BusyTimeoutMs;
  return { settings: { ...settings, StoreWaitMs }, given };
}

/** What the environment says; or which variable is wrong. */
function readEnvironment(): Record<string, unknown> | string {
  const settings: Record<string, unknown> = {};
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

export const accepted: Record<keyof SDS_ProviderOptions, Acceptance> = {
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
