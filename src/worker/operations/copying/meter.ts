/** How far a copy is: told now and then, also while a server is waited for. Between two steps other work of the thread gets its turn. */
import { clearInterval, nextTurn, performance, setInterval } from '../../../protocol/surroundings.ts';
import { Stopped } from '../failure.ts';
import type { Progress } from '../progress.ts';

/** At least once a second, whatever is waited for. */
const TELL_MS = 500;
/** Connections are heard in the event loop: they must not wait for the end of a large store. */
const TURN_MS = 20;
/** What is under way when the caller asks for an end may go on for this time; then its connections are cut. */
const PATIENCE_MS = 1000;

export class Meter {
  readonly progress: Progress;
  readonly #timer: NodeJS.Timeout;
  /** Set back where something is carried out again: it counts once. */
  done = 0;
  #turnAt = performance.now();
  bytesInAll = 0;
  stores = 0;
  storesInAll = 0;

  /** @param cut - ends what can't be waited for, because the caller wants no more */
  constructor(progress: Progress, cut: () => void) {
    this.progress = progress;
    let stoppedAt: number | undefined;
    this.#timer = setInterval(() => {
      try {
        this.#tell();
      } catch (error) {
        if (!(error instanceof Stopped)) throw error;
        stoppedAt ??= performance.now();
        if (performance.now() - stoppedAt > PATIENCE_MS) cut();
      }
    }, TELL_MS);
  }

  #tell(): void {
    const stores = { Stores: this.stores, StoresInAll: this.storesInAll };
    this.progress.step('copy', this.done, this.bytesInAll, 'bytes', stores);
  }

  /** These bytes are done as well; throws `Stopped` if there shall be no more. */
  async add(bytes: number): Promise<void> {
    this.done += bytes;
    await this.step();
  }

  async step(): Promise<void> {
    this.#tell();
    if (performance.now() - this.#turnAt < TURN_MS) return;
    await nextTurn();
    this.#turnAt = performance.now();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
