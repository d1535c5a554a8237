/** Whether a value's bytes are those that its hash stands for (`VerifyValues`): looked at here, for every engine. */
import { looksLikeSha256 } from '../protocol/sha-256.ts';
import { EngineError, type Writes } from './engine.ts';

/** @throws if the call saves a value whose bytes are others */
export function refuseFalseValue(call: Writes): void {
  if (call.operation === 'saveValue') verify(call.key, call.data, 'invalid-argument');
}

/** What was loaded, unless the bytes are others. */
export function verified(hash: string, data: Uint8Array | undefined): Uint8Array | undefined {
  if (data !== undefined) verify(hash, data, 'database-corrupt');
  return data;
}

function verify(hash: string, data: Uint8Array, code: 'invalid-argument' | 'database-corrupt'): void {
  if (!looksLikeSha256(hash)) return;
  // loaded when it is needed: it would make every worker start later
  const actual = process.getBuiltinModule('node:crypto').hash('sha256', data);
  if (actual === hash.toLowerCase()) return;
  const message = `the value's SHA-256 is ${actual}, not ${hash} (hashes of 64 hexadecimal digits are verified)`;
  throw new EngineError(code, { message });
}
