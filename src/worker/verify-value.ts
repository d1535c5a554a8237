/** Whether a value's bytes are those that its hash stands for (`VerifyValues`): looked at here, for every engine. */
import { looksLikeSha256 } from '../protocol/sha-256.ts';
import { EngineError, type Writes } from './engine.ts';

/** @throws if the call saves a value whose bytes are others */
export function refuseFalseValue(call: Writes): void {
  const message = call.operation === 'saveValue' ? differenceOf(call.key, call.data) : undefined;
  if (message !== undefined) throw new EngineError('invalid-argument', { message });
}

/** What was loaded, unless the bytes are others. */
export function verified(hash: string, data: Uint8Array | undefined): Uint8Array | undefined {
  const difference = data === undefined ? undefined : differenceOf(hash, data);
  if (difference === undefined) return data;
  // the file may be sound: whoever saves without verifying may save any bytes
  throw new EngineError('database-corrupt', { message: `${difference}; save it anew, or take it from a backup` });
}

function differenceOf(hash: string, data: Uint8Array): string | undefined {
  if (!looksLikeSha256(hash)) return undefined;
  // loaded when it is needed: it would make every worker start later
  const actual = process.getBuiltinModule('node:crypto').hash('sha256', data);
  if (actual === hash.toLowerCase()) return undefined;
  return `the value's SHA-256 is ${actual}, not ${hash} (hashes of 64 hexadecimal digits are verified)`;
}
