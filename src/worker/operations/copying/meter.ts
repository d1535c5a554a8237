/** How far a copy is: told now and then, also while a server is waited for. Between two steps other work of the thread gets its turn. */
import { clearInterval, Promise, performance, setImmediate, setInterval } from '../../../protocol/surroundings.ts';
import { Stopped } from '../failure.ts';
import type { Progress } from '../progress.ts';

/** At least once a second, whatever is waited for. */
const TELL_MS = 500;
/** Leases are renewed by timers: they must not wait for the end of a large store. */
const TURN_MS = 20;
/** So long what is under way may go on after the caller asked for an end; then its connections are cut. */
const PATIENCE_MS = 1000;

export class Meter {
  readonly #progress: Progress;
  readonly #timer: NodeJS.Timeout;
  #phase: 'copy' | 'rows' | 'values' = 'copy';
  #done = 0;
  #total = 0;
  #stores = 0;
  #allStores = 0;
  #turnAt = performance.now();
  /** Bytes of all that is copied. */
  bytes = 0;

  /** @param cut - ends what can't be waited for, since the caller wants no more */
  constructor(progress: Progress, cut: () => void) {
    this.#progress = progress;
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
    this.#progress.step(this.#phase, this.#done, this.#total, this.#phase === 'copy' ? 'bytes' : 'rows', {
      Stores: this.#stores,
      StoresInAll: this.#allStores,
    });
  }

  /** A part begins. */
  begin(phase: 'copy' | 'rows' | 'values', total: number, stores: number): void {
    [this.#phase, this.#done, this.#total, this.#allStores] = [phase, 0, total, stores];
    if (phase === 'copy') [this.bytes, this.#stores] = [total, 0];
  }

  /** So much more is done; throws `Stopped` if there shall be no more. */
  async add(count: number): Promise<void> {
    this.#done += count;
    await this.step();
  }

  async step(): Promise<void> {
    this.#tell();
    if (performance.now() - this.#turnAt < TURN_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#turnAt = performance.now();
  }

  storesDone(count: number): void {
    this.#stores += count;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
