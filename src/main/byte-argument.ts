/** The check of a byte argument. */
import { types } from 'node:util';
import { describeSecret } from './option-checks.ts';
import { isAttached, lengthOf } from './view.ts';

/** SQLite's limit for a value (https://sqlite.org/limits.html). */
const MOST_BYTES = 1_000_000_000;

/** Says what is wrong with a byte argument, `undefined` if nothing is. */
export function faultOfBytes(value: unknown, name: string): string | undefined {
  if (!types.isUint8Array(value)) return `${name} must be a Uint8Array, not ${describeSecret(value)}`;
  if (lengthOf(value) === 0 && !isAttached(value)) return `${name} is detached: its bytes are gone`;
  if (lengthOf(value) > MOST_BYTES)
    return `${name} is longer than ${MOST_BYTES} bytes, which is all that SQLite stores`;
  return undefined;
}
