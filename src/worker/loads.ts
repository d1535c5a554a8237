/** Loads that came in one call: what they have come to is told in order, as much of it as there is. */
import type { Loaded } from '../protocol/service.ts';

export class Loads {
  #left: number;
  #found: Loaded[] = [];
  #tell: ((found: Loaded[]) => void) | undefined;

  constructor(count: number) {
    this.#left = count;
  }

  /** The next one is finished. */
  add(loaded: Loaded): void {
    this.#left--;
    this.#found.push(loaded);
  }

  /** Somebody wants to be told of the next ones. */
  ask(tell: (found: Loaded[]) => void): void {
    this.#tell = tell;
  }

  /** Tells what was found since the last time, if there is something and somebody has asked. */
  tell(): void {
    const tell = this.#tell;
    if (tell === undefined || this.#found.length === 0) return;
    this.#tell = undefined;
    tell(this.#found.splice(0));
  }

  /** Whether all is told. */
  get areOver(): boolean {
    return this.#left === 0 && this.#found.length === 0;
  }
}
