/** What is wrong with a call that names a document. */
import { SDS_PersistenceError } from '../main/index.ts';

export function refusal(call: string, name: string, fault: string, cause?: unknown): SDS_PersistenceError {
  const message = `${call} (${JSON.stringify(name)}): ${fault}`;
  return new SDS_PersistenceError('invalid-argument', message, cause === undefined ? undefined : { cause });
}
