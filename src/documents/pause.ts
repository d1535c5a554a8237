/** Pauses between attempts, each longer than the one before. */
import { MessageChannel } from 'node:worker_threads';
import { later, Promise } from '../protocol/surroundings.ts';

const FIRST_MS = 1000;
const LONGEST_MS = 30_000;

export class GrowingPause {
  #ms = FIRST_MS;
  #end = () => {};

  /** The process may end meanwhile, but where somebody waits for what comes after. */
  next(isWaitedFor = false): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const letGo = isWaitedFor ? stayAlive() : () => {};
    const end = () => {
      letGo();
      resolve();
    };
    const stop = later(end, this.#ms);
    this.#end = () => {
      stop();
      end();
    };
    this.#ms = Math.min(2 * this.#ms, LONGEST_MS);
    return promise;
  }

  /** Ends the one that there is now. */
  end(): void {
    this.#end();
  }
}

/** A port that somebody listens to keeps the process alive. */
function stayAlive(): () => void {
  const { port1 } = new MessageChannel();
  port1.on('message', () => {});
  return () => port1.close();
}
