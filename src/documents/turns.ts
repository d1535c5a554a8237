/** Who comes next, where one can be served at a time. */
import { Promise } from '../protocol/surroundings.ts';

export class Turns {
  readonly #waitedFor: (() => void)[] = [];
  readonly #rest: (() => void)[] = [];
  #isTaken = false;

  /** Does some work when its turn has come: what somebody waits for comes before the rest. */
  async take<T>(isWaitedFor: boolean, work: () => Promise<T>): Promise<T> {
    if (this.#isTaken) {
      const { promise, resolve: begin } = Promise.withResolvers<void>();
      (isWaitedFor ? this.#waitedFor : this.#rest).push(begin);
      await promise;
    }
    this.#isTaken = true;
    try {
      return await work();
    } finally {
      const begin = this.#waitedFor.shift() ?? this.#rest.shift();
      if (begin === undefined) this.#isTaken = false;
      else begin(); // it stays taken
    }
  }
}
