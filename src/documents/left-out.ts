/** The documents that an import leaves out: they keep none of the others from being imported, and are named at its end. */
import { SDS_PersistenceError } from '../main/index.ts';
import { shown } from './refusal.ts';

/** How many are named. */
const MOST_NAMED = 20;

export class LeftOut {
  readonly #named: string[] = [];
  #count = 0;
  #first: SDS_PersistenceError | undefined;

  add(name: string, reason: SDS_PersistenceError): void {
    this.#count++;
    this.#first ??= reason;
    if (this.#named.length < MOST_NAMED) this.#named.push(`${shown(name)} (${reason.message})`);
  }

  /** Whether what the import of a document fails with is a matter of that one alone: what it is, or that another process has it open. */
  static isOfOne(error: unknown): error is SDS_PersistenceError {
    return error instanceof SDS_PersistenceError && (error.code === 'invalid-argument' || error.code === 'fenced');
  }

  /** @throws SDS_PersistenceError if there is any: with the code of the first one */
  throwIfAny(call: string, imported: number): void {
    const first = this.#first;
    if (first === undefined) return;
    const documents = this.#count === 1 ? '1 document is' : `${this.#count} documents are`;
    const named = this.#named.join(', ') + (this.#count > MOST_NAMED ? ' …' : '');
    const others = `all others are there, of which ${imported} were imported now`;
    const message = `${call}: ${documents} left out: ${named}; ${others}`;
    throw new SDS_PersistenceError(first.code, message, { cause: first });
  }
}
