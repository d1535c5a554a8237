/** Tells of a worker's checkpoints. It runs them between batches and only notes them: they are told with the next progress. */
import { CHECKPOINTS_KEPT } from '../../protocol/control.ts';
import { performance } from '../../protocol/surroundings.ts';
import type { Channel } from '../channel/channel.ts';
import { begin, traced } from './channels.ts';

export class CheckpointObserver {
  readonly #channel: Channel;
  #told = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** Tells of each that has ended since the last time, of the latest ones if there were very many. */
  look(): void {
    const count = this.#channel.checkpoints;
    if (count === this.#told) return;
    const fresh = Math.min((count - this.#told) >>> 0, CHECKPOINTS_KEPT);
    this.#told = count;
    if (!traced.checkpoint.hasSubscribers) return;
    for (let number = count - fresh + 1; number <= count; number++) this.#tell(number);
  }

  #tell(number: number): void {
    const { begunAt, duration, inAll } = this.#channel.checkpoint(number - 1);
    begin('checkpoint', () => ({
      Checkpoints: number >>> 0,
      Milliseconds: inAll,
      // clocks of two threads agree to some microseconds: its end is not to be in the future
      BegunAt: Math.min(begunAt, performance.now() - duration),
      DurationMs: duration,
    }))?.end({});
  }
}
