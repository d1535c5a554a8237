/** Checks of what callers pass: nothing of a bad call is queued, nothing of it is stored. */
import { types } from '../protocol/builtins.ts';
import {
  defaultSettings,
  type ProviderSettings,
  type SDS_ProviderOptions,
  serverDefaults,
} from '../protocol/options.ts';
import { Buffer } from '../protocol/surroundings.ts';
import { isAttached, lengthOf } from './view.ts';

/** Longer keys are no hashes; they would not fit beside the patches. */
const MAX_HASH_BYTES = 65_536;
/** SQLite's limit for a value (https://sqlite.org/limits.html). */
const MOST_BYTES = 1_000_000_000;

/** Says what is wrong with a byte argument, `undefined` if nothing is. */
export function faultOfBytes(value: unknown, name: string): string | undefined {
  if (!types.isUint8Array(value)) return `${name} must be a Uint8Array, not ${describe(value)}`;
  if (lengthOf(value) === 0 && !isAttached(value)) return `${name} is detached: its bytes are gone`;
  if (lengthOf(value) > MOST_BYTES)
    return `${name} is longer than ${MOST_BYTES} bytes, which is all that SQLite stores`;
  return undefined;
}

/** Says what is wrong with a patch number, `undefined` if nothing is. */
export function faultOfClock(value: unknown, name: string): string | undefined {
  if (Number.isSafeInteger(value)) return undefined;
  return `${name} must be an integer within ±(2^53 - 1), not ${describe(value)}`;
}

/** Says what is wrong with a value's hash, `undefined` if nothing is. */
export function faultOfHash(value: unknown): string | undefined {
  if (typeof value !== 'string') return `ValueHash must be a string, not ${describe(value)}`;
  if (value.length > MAX_HASH_BYTES / 3 && Buffer.byteLength(value) > MAX_HASH_BYTES) {
    return `ValueHash is longer than ${MAX_HASH_BYTES} bytes`;
  }
  return undefined;
}

/** The options with their defaults, and those among them that the caller has given. */
export interface Options {
  settings: ProviderSettings;
  given: ReadonlySet<string>;
}

/** Fills in the defaults, those of a database on a server or of a file, or says which option is wrong. */
export function readOptions(options: SDS_ProviderOptions | undefined, isServer: boolean): Options | string {
  const settings = readEnvironment({ ...defaultSettings, ...(isServer ? serverDefaults : {}) });
  const named = new Set<string>();
  const read = { settings: settings as unknown as ProviderSettings, given: named };
  if (typeof settings === 'string') return settings;
  if (options === undefined) return read;
  if (typeof options !== 'object' || options === null || isArray(options))
    return `Options must be an object, not ${describe(options)}`;
  const given = entriesOf(options);
  if (typeof given === 'string') return given;
  for (const [name, value] of given) {
    if (value === undefined) continue;
    const accepts = Object.hasOwn(accepted, name) ? accepted[name as keyof SDS_ProviderOptions] : undefined;
    if (accepts === undefined) return `there is no option '${name}'; there are ${Object.keys(accepted).join(', ')}`;
    if (!accepts.test(value)) return `${name} must be ${accepts.what}, not ${describe(value)}`;
    settings[name] = value;
    named.add(name);
  }
  return read;
}

/** Options that a program can be given from outside, by whoever swaps the provider and changes no line of it. */
const variables = {
  Durability: 'SDS_PERSISTENCE_DURABILITY',
  Acknowledge: 'SDS_PERSISTENCE_ACKNOWLEDGE',
  BusyTimeoutMs: 'SDS_PERSISTENCE_BUSY_TIMEOUT_MS',
  OnClockCollision: 'SDS_PERSISTENCE_ON_CLOCK_COLLISION',
} as const satisfies Partial<Record<keyof SDS_ProviderOptions, string>>;

/** How many threads there are is no option: it holds for the whole process. */
const WORKERS = 'SDS_PERSISTENCE_WORKERS';

/** The defaults, where the environment does not say otherwise; or which variable is wrong. */
function readEnvironment(defaults: ProviderSettings): Record<string, unknown> | string {
  const settings: Record<string, unknown> = { ...defaults };
  const fault = faultOfVariable(WORKERS, workers);
  if (fault !== undefined) return fault;
  for (const [name, variable] of Object.entries(variables)) {
    const fault = faultOfVariable(variable, accepted[name as keyof typeof variables]);
    if (fault !== undefined) return fault;
    settings[name] = valueOf(variable) ?? settings[name];
  }
  return settings;
}

function faultOfVariable(variable: string, accepts: Acceptance): string | undefined {
  const value = valueOf(variable);
  if (value === undefined || accepts.test(value)) return undefined;
  return `the environment variable ${variable} must be ${accepts.what}, not ${describe(process.env[variable])}`;
}

function valueOf(variable: string): string | number | undefined {
  const text = process.env[variable];
  if (text === undefined || text === '') return undefined;
  return /^\d+$/.test(text) ? Number(text) : text;
}

/**
 * What an object of options has, and its arrays have, each read once; or why it can't be read: a revoked proxy, a getter that
 * throws.
 */
export function entriesOf(options: object): [string, unknown][] | string {
  try {
    return Object.entries(options).map(([name, value]) => [name, isArray(value) ? Array.from(value) : value]);
  } catch (error) {
    return `Options can not be read: ${textOf(error)}`;
  }
}

function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return describe(thrown); // it has no text, or one that throws
  }
}

interface Acceptance {
  what: string;
  test: (value: unknown) => boolean;
}

const oneOf = (...choices: string[]): Acceptance => ({
  what: choices.map((choice) => `'${choice}'`).join(' or '),
  test: (value) => typeof value === 'string' && choices.includes(value),
});
const yesOrNo: Acceptance = { what: 'true or false', test: (value) => typeof value === 'boolean' };
const integer = (least: number, most: number): Acceptance => ({
  what: `an integer from ${least} to ${most}`,
  test: (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
});

const workers = integer(1, 64);

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
  RetryForMs: integer(0, 2_147_483_647),
};

/** Names a value in an error message, without calling anything of it. */
export function describe(value: unknown): string {
  if (value === null) return 'null';
  switch (typeof value) {
    case 'string':
      return `the string ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`;
    case 'number':
    case 'boolean':
    case 'undefined':
      return String(value);
    case 'bigint':
      return `the bigint ${value}n`;
    case 'symbol':
      return 'a symbol';
    case 'function':
      return 'a function';
    default:
      return isArray(value) ? 'an array' : `an object${kindOf(value)}`;
  }
}

function isArray(value: unknown): value is unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false; // a revoked proxy
  }
}

function kindOf(value: unknown): string {
  try {
    return ` (${Object.prototype.toString.call(value).slice(8, -1)})`;
  } catch {
    return ''; // it has a tag that throws
  }
}
