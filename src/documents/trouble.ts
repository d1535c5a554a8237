/** Tells of what goes wrong where no call of the program waits for it: on channels, and once each as a process warning. */

import { SDS_PersistenceError } from '../main/index.ts';
import { tell } from '../main/observe/channels.ts';
import { note } from '../main/observe/notes.ts';
import { once } from '../main/observe/warnings.ts';
import { describe } from '../main/option-checks.ts';
import { outsideOfCalls } from '../protocol/async-context.ts';
import type { OnError } from '../protocol/document-options.ts';
import { shown } from './refusal.ts';

const kinds = {
  write: { channel: 'write-failed', code: 'SDS_WRITE_FAILED', what: 'an update of it is not stored yet' },
  /** Without a document in memory, which could be stored as a whole later. */
  append: {
    channel: 'write-failed',
    code: 'SDS_WRITE_FAILED',
    what: 'an update of it was not stored: append it again',
  },
  load: { channel: 'load-failed', code: 'SDS_LOAD_FAILED', what: 'what is stored of it is not loaded yet' },
  merge: { channel: 'merge-failed', code: 'SDS_MERGE_FAILED', what: 'its updates stay as they are' },
} as const;

export class Trouble {
  /** As messages name it. */
  readonly database: string;
  readonly #onError: OnError | undefined;
  readonly #said = new Set<string>();

  constructor(database: string, onError: OnError | undefined) {
    this.database = database;
    this.#onError = onError;
  }

  /** @param thrown - observers of a document are the program's, and may throw anything while what is stored is applied */
  tell(kind: keyof typeof kinds, name: string, thrown: unknown): void {
    const { channel, code, what } = kinds[kind];
    const error = toldAs(kind, name, thrown);
    const { message } = error;
    tell(channel, { Path: this.database, StoreId: name, Code: error.code, Message: message, Error: error });
    const onError = this.#onError;
    if (onError !== undefined) note(() => outsideOfCalls(() => onError(error, name)));
    else {
      const document = `document ${shown(name)}`;
      // what `about` has made says that, and what becomes of its updates
      const said = message.startsWith(document) ? message : `${document}: ${what}: ${message}`;
      this.warn(code, `${shown(name)} ${error.code}`, said);
    }
  }

  /** The same error, with the document and the database that it is about: what merges and applies updates knows neither. */
  about(name: string, { code, message, cause }: SDS_PersistenceError): SDS_PersistenceError {
    const told = `document ${shown(name)} in '${this.database}': ${message}`;
    return new SDS_PersistenceError(code, told, cause === undefined ? undefined : { cause });
  }

  /** Once for each code and subject. */
  warn(code: string, subject: string, message: string): void {
    once(this.#said, code, subject, message);
  }
}

/** As an error of this package, whatever was thrown. */
export function toldAs(call: string, name: string, thrown: unknown): SDS_PersistenceError {
  let said = 'something that tells nothing';
  try {
    if (thrown instanceof SDS_PersistenceError) return thrown;
    const message: unknown = (thrown as Partial<Error> | null | undefined)?.message;
    said = typeof message === 'string' ? message : describe(thrown);
  } catch {
    // a proxy that was revoked
  }
  const message = `${call} (${shown(name)}): code of the program has thrown: ${said}`;
  return new SDS_PersistenceError('io-error', message, { cause: thrown });
}
