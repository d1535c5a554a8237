/** Whether a value's bytes are those that its hash stands for (`VerifyValues`). */
import { looksLikeSha256 } from '../protocol/sha-256.ts';
import { EngineError } from './engine.ts';

export function verifyValue(hash: string, data: Uint8Array, code: 'invalid-argument' | 'database-corrupt'): void {
  if (!looksLikeSha256(hash)) return;
  // loaded when it is needed: it would make every worker start later
  const { createHash } = process.getBuiltinModule('node:crypto');
  const actual = createHash('sha256').update(data).digest('hex');
  if (actual === hash.toLowerCase()) return;
  const message = `the value's SHA-256 is ${actual}, not ${hash} (hashes of 64 hexadecimal digits are verified)`;
  throw new EngineError(code, { message });
}
