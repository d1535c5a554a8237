/** Who comes next, where one can be served at a time. */
import { Promise } from '../protocol/surroundings.ts';

export class Turns {
  readonly #waiting: { isWaitedFor: boolean; begin: () => void }[] = [];
  #isTaken = false;

  /** Does some work when its turn has come: what somebody waits for comes before the rest. */
  async take<T>(isWaitedFor: boolean, work: () => Promise<T>): Promise<T> {
    if (this.#isTaken) await this.#wait(isWaitedFor);
    this.#isTaken = true;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#isTaken = false;
      else next.begin(); // it stays taken
    }
  }

  #wait(isWaitedFor: boolean): Promise<void> {
    const { promise, resolve: begin } = Promise.withResolvers<void>();
    const at = isWaitedFor ? this.#waiting.findIndex((other) => !other.isWaitedFor) : -1;
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, { isWaitedFor, begin });
    return promise;
  }
}
