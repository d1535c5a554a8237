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

/** What threads read apart is far less. */
const SKEW_US = 60_000_000;

/**
 * How many milliseconds passed since a time in a cell: up to 70 minutes, for a machine may sleep meanwhile. Never less than none,
 * which is what the last minute before the count is full is taken for: threads read the clock a little apart.
 */
export function msSince(at: number, now: number): number {
  const passed = (now - at) >>> 0;
  return passed < 2 ** 32 - SKEW_US ? passed / 1000 : 0;
}

/** What is later than this was not late for want of a core: the process was stopped. */
const STOPPED_MS = 1000;

/**
 * How long the process was stopped in a wait that took so much longer than it was to: nobody has waited meanwhile, and
 * who is waited for may have been stopped as well.
 */
export function stoppedMs(late: number): number {
  return late > STOPPED_MS ? late : 0;
}

function offset(): number {
  return uptime() * 1000 - performance.now();
}
