/** Whether a value's bytes are those that its hash stands for (`VerifyValues`). */
import { EngineError } from './engine.ts';

export function verifyValue(hash: string, data: Uint8Array, code: 'invalid-argument' | 'database-corrupt'): void {
  // loaded when it is needed: it would make every worker start later
  const { createHash } = process.getBuiltinModule('node:crypto');
  const actual = createHash('sha256').update(data).digest('hex');
  if (actual === hash.toLowerCase()) return;
  throw new EngineError(code, { message: `the value's SHA-256 is ${actual}, not ${hash}` });
}
