/**
 * A clock that all threads of a process read alike, in a cell of shared memory: `performance.now()` counts from the start
 * of each thread, `uptime` from that of the process.
 */
import { performance, uptime } from './surroundings.ts';

/**
 * From `performance.now()` of this thread to that clock, in milliseconds. The first call of either clock takes up to a
 * millisecond: of some attempts, the one with the least of it between.
 */
const OFFSET_MS = Math.max(offset(), offset(), offset());

/** The time at which `performance.now()` gave this number: microseconds, which wrap at 32 bits; never 0, which stands for none. */
export function cellTime(now: number): number {
  return ((now + OFFSET_MS) * 1000) | 0 || 1;
}

/** How many milliseconds passed between two times in cells, of which neither is half an hour from the other. */
export function msBetween(from: number, to: number): number {
  return ((to - from) | 0) / 1000;
}

function offset(): number {
  return uptime() * 1000 - performance.now();
}
