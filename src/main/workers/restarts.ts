/** Whether a lost thread gets a successor, and whether the file that it was lost with is given to it: not again and again in vain. */
import { performance } from '../../protocol/surroundings.ts';
import type { Channel } from '../channel/channel.ts';
import type { FileQueue } from '../queue/file-queue.ts';

/** Threads in a row that may not begin, or die young and finish nothing; after the last of them none follows at once. */
const MOST_VAIN_STARTS = 5;
const SHORT_LIFE_MS = 10_000;
/** Where there was none, one is started for what is called later, after so long at the earliest. */
const NOT_BEFORE_MS = 1000;
/** Threads that may end in the middle of a file's work, with nothing of it finished between. */
const MOST_DEATHS_OF_A_FILE = 5;

export class Restarts {
  #progressAtStart = 0;
  #startedAt = 0;
  #vainStarts = 0;
  readonly #deaths = new WeakMap<FileQueue, { times: number; finishedItems: number }>();

  started(progress: number): void {
    this.#progressAtStart = progress;
    this.#startedAt = performance.now();
  }

  get mayStartAnew(): boolean {
    return performance.now() - this.#startedAt >= NOT_BEFORE_MS;
  }

  /** Told of a thread that has ended while it was at no file's work; returns whether to start another one. */
  mayGoOn({ booted, progress }: Channel): boolean {
    const isYoung = performance.now() - this.#startedAt < SHORT_LIFE_MS;
    const vain = !booted || (isYoung && progress === this.#progressAtStart);
    // one that did not begin in all that time has held up a blocked thread: it is tried once more only
    const starts = booted || isYoung ? 1 : MOST_VAIN_STARTS / 2;
    this.#vainStarts = vain ? this.#vainStarts + starts : 0;
    return this.#vainStarts < MOST_VAIN_STARTS;
  }

  /** Told of one that has ended in the middle of a file's work; returns whether that work may be tried again. */
  mayTryAgain(queue: FileQueue): boolean {
    const { finishedItems } = queue;
    const before = this.#deaths.get(queue);
    const times = before?.finishedItems === finishedItems ? before.times + 1 : 1;
    this.#deaths.set(queue, { times, finishedItems });
    return times < MOST_DEATHS_OF_A_FILE;
  }
}
