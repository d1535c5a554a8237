/** What is wrong with a call that names a document. */
import { SDS_PersistenceError } from '../main/index.ts';
import { describe } from '../main/option-checks.ts';

/** A document's name in messages: whatever a caller has given as one. */
export function shown(name: unknown): string {
  return typeof name === 'string' ? JSON.stringify(name) : describe(name);
}

export function refusal(call: string, name: string, fault: string, cause?: unknown): SDS_PersistenceError {
  const message = `${call} (${shown(name)}): ${fault}`;
  return new SDS_PersistenceError('invalid-argument', message, cause === undefined ? undefined : { cause });
}
