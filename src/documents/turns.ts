/** Who comes next, where one can be served at a time. */
import type { MergeOrder } from '../protocol/merging.ts';
import type { Parcel } from '../protocol/parcel.ts';
import { Promise } from '../protocol/surroundings.ts';
import type { Merging } from './merging.ts';
import { join } from './merging-thread.ts';

interface Waiting {
  isWaitedFor: boolean;
  begin: () => void;
}

export class Turns {
  readonly #waiting: Waiting[] = [];
  #isTaken = false;

  /** Resolves when it is this one's turn, to be passed on: those that somebody waits for come before the others. */
  async take(isWaitedFor: boolean): Promise<void> {
    if (!this.#isTaken) {
      this.#isTaken = true;
      return;
    }
    const { promise, resolve: begin } = Promise.withResolvers<void>();
    const at = isWaitedFor ? this.#waiting.findIndex((other) => !other.isWaitedFor) : -1;
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, { isWaitedFor, begin });
    await (isWaitedFor ? join(promise) : promise);
  }

  pass(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#isTaken = false;
    else next.begin();
  }
}

/** Loads and merges one document at a time. */
export function inTurns(
  turns: Turns,
  merge: (order: MergeOrder, parts: Parcel, isWaitedFor: boolean) => Promise<Parcel[]>,
): Merging {
  return {
    run: async (order, load, isWaitedFor) => {
      await turns.take(isWaitedFor);
      try {
        const parts = await load();
        return parts === undefined ? [] : await merge(order, parts, isWaitedFor);
      } finally {
        turns.pass();
      }
    },
  };
}
