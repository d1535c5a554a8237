/** Pauses between attempts, each longer than the one before. */
import { later, Promise } from '../protocol/surroundings.ts';

const FIRST_MS = 1000;
const LONGEST_MS = 30_000;

export class GrowingPause {
  #ms = FIRST_MS;
  #end = () => {};

  /** The process may end meanwhile. */
  next(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = later(resolve, this.#ms);
    this.#end = () => {
      stop();
      resolve();
    };
    this.#ms = Math.min(2 * this.#ms, LONGEST_MS);
    return promise;
  }

  /** Ends the one that there is now. */
  end(): void {
    this.#end();
  }
}
