/** The documents that an import leaves out: they keep none of the others from being imported, and are named at its end. */
import { SDS_PersistenceError, type SDS_PersistenceErrorCode } from '../main/index.ts';
import { shown } from './refusal.ts';

/** So many are named. */
const MOST_NAMED = 20;

export class LeftOut {
  readonly #named: string[] = [];
  #count = 0;
  #first: unknown;

  add(name: string, reason: unknown): void {
    this.#count++;
    this.#first ??= reason;
    if (this.#named.length < MOST_NAMED) this.#named.push(`${shown(name)} (${(reason as Error).message})`);
  }

  /** @throws SDS_PersistenceError if there is any */
  throwIfAny(call: string, code: SDS_PersistenceErrorCode, imported: number): void {
    if (this.#count === 0) return;
    const documents = this.#count === 1 ? '1 document is' : `${this.#count} documents are`;
    const named = this.#named.join(', ') + (this.#count > MOST_NAMED ? ' …' : '');
    const others = `all others are there, of which ${imported} were imported now`;
    throw new SDS_PersistenceError(code, `${call}: ${documents} left out: ${named}; ${others}`, { cause: this.#first });
  }
}
