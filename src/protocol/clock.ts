/** Times of commits, by the clock that the threads of a process have in common. */
import { OFFSET_MS } from './shared-clock.ts';

/** In a cell: microseconds, which wrap at 32 bits; never 0, which stands for none. */
export function cellTime(now: number): number {
  return ((now + OFFSET_MS) * 1000) | 0 || 1;
}

/** From a moment of this thread's `performance.now()` to one in a cell; right up to half an hour. */
export function millisecondsUntil(cell: number, from: number): number {
  return ((cell - cellTime(from)) | 0) / 1000;
}
