/** Waiting for a promise, but not for ever. */
import { later, Promise } from '../protocol/surroundings.ts';

/** What a promise resolves with; `undefined` if it rejects, or takes longer than so many milliseconds. */
export function inTime<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  return new Promise((resolve) => {
    const stop = later(() => resolve(undefined), ms);
    const end = (value: T | undefined) => {
      stop();
      resolve(value);
    };
    promise.then(end, () => end(undefined));
  });
}
