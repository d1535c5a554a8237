/** Checks of options, those of a provider and those of operations, and names of values for the messages. */
import { ifPossible } from '../protocol/if-possible.ts';

/** What an option may be. */
export interface Acceptance {
  what: string;
  test: (value: unknown) => boolean;
  /** Whether what is given in its place may be secret: a text is not told. */
  isSecret?: boolean;
}

export const yesOrNo: Acceptance = { what: 'true or false', test: (value) => typeof value === 'boolean' };

export const oneOf = (...choices: string[]): Acceptance => ({
  what: choices.map((choice) => `'${choice}'`).join(' or '),
  test: (value) => typeof value === 'string' && choices.includes(value),
});

export const integer = (least: number, most: number): Acceptance => ({
  what: `an integer from ${least} to ${most}`,
  test: (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
});

/** Plain properties, each read once (of getters, or a revoked proxy), without those `undefined`; or the fault. */
export function checkOptions(
  options: unknown,
  accepted: Readonly<Record<string, Acceptance>>,
): Record<string, unknown> | string {
  let given: [string, unknown][];
  try {
    if (typeof options !== 'object' || options === null || Array.isArray(options))
      return `Options must be an object, not ${describeSecret(options)}`;
    given = Object.entries(options).map(([name, value]) => [name, Array.isArray(value) ? Array.from(value) : value]);
  } catch (error) {
    return `Options can not be read: ${textOf(error)}`;
  }
  const checked: Record<string, unknown> = {};
  for (const [name, value] of given) {
    if (value === undefined) continue;
    const accepts = Object.hasOwn(accepted, name) ? accepted[name] : undefined;
    if (accepts === undefined) return `there is no option '${name}'; there are ${Object.keys(accepted).join(', ')}`;
    if (!accepts.test(value)) {
      const given = (accepts.isSecret ? describeSecret : describe)(value);
      return `${name} must be ${accepts.what}, not ${given}`;
    }
    checked[name] = value;
  }
  return checked;
}

/** The text of whatever was thrown, if it has one that does not throw. */
export function textOf(thrown: unknown): string {
  return ifPossible(() => String(thrown)) ?? describe(thrown);
}

/** The same of what may hold a password, or what a document says. */
export function describeSecret(value: unknown): string {
  return ['string', 'number', 'bigint'].includes(typeof value) ? `a ${typeof value}` : describe(value);
}

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
      // a revoked proxy can't be asked, and a tag may throw
      return ifPossible(() => (Array.isArray(value) ? 'an array' : `an object (${tagOf(value)})`), 'an object');
  }
}

function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}
