/** Pauses between attempts, each longer than the one before. */
import { SDS_PersistenceError, type SDS_PersistenceErrorCode } from '../main/index.ts';
import { later, Promise } from '../protocol/surroundings.ts';
import { keptAlive } from './kept-alive.ts';

const FIRST_MS = 1000;
const LONGEST_MS = 30_000;

/** What the next attempt fails with as well, and the one after: the file is another one, or damaged, or the call is wrong. */
const LASTING: readonly SDS_PersistenceErrorCode[] = [
  'invalid-argument',
  'closed',
  'open-failed',
  'schema-mismatch',
  'database-corrupt',
];

/** Whether what an attempt has failed with may pass with time: there is room again, a lock or a server is to be had. */
export function mayPass(error: unknown): boolean {
  return error instanceof SDS_PersistenceError && !LASTING.includes(error.code);
}

export class GrowingPause {
  #ms = FIRST_MS;
  #resolve = () => {};

  /** The process may end meanwhile, but where somebody waits for what comes after, and that is not in vain (`mayPass`). */
  next(keepsAlive = false): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#resolve = resolve;
    this.#begin();
    return keepsAlive ? keptAlive(promise) : promise;
  }

  #begin(): void {
    later(this.#resolve, this.#ms);
    this.#ms = Math.min(2 * this.#ms, LONGEST_MS);
  }

  /** The one that there is now begins anew, as the first one. */
  beginAnew(): void {
    this.#ms = FIRST_MS;
    this.#begin();
  }

  /** Ends the one that there is now. */
  end(): void {
    this.#resolve();
  }
}
