/** Whether a lost worker gets a successor: not if workers die again and again, and have done nothing. */
import { performance } from '../../protocol/surroundings.ts';

/** After so many workers in a row that died young and had finished nothing, there is no other. */
const MOST_VAIN_STARTS = 5;
const SHORT_LIFE_MS = 10_000;

export class Restarts {
  #progressAtStart = 0;
  #startedAt = 0;
  #vainStarts = 0;

  started(progress: number): void {
    this.#progressAtStart = progress;
    this.#startedAt = performance.now();
  }

  /** Told of a loss; returns whether to start another one. */
  mayGoOn(progress: number): boolean {
    const vain = progress === this.#progressAtStart && performance.now() - this.#startedAt < SHORT_LIFE_MS;
    this.#vainStarts = vain ? this.#vainStarts + 1 : 0;
    return this.#vainStarts < MOST_VAIN_STARTS;
  }
}
