/** A clock that all threads read alike: `performance.now()` counts from a thread's start, `uptime` does not. */
import { performance, uptime } from './surroundings.ts';

/** From `performance.now()` to it, in milliseconds; the best of some, because a first call takes up to one. */
const OFFSET_MS = Math.max(offset(), offset(), offset());

/** The time at which `performance.now()` gave this number: microseconds, which wrap at 32 bits; never 0, which stands for none. */
export function cellTime(now: number): number {
  return ((now + OFFSET_MS) * 1000) | 0 || 1;
}

/** What threads read apart is far less. */
const SKEW_US = 60_000_000;

/**
 * How many milliseconds passed since a time in a cell. The count wraps after 71 minutes. What seems older than 70 is a time
 * slightly ahead, because threads read the clock a little apart: 0.
 */
export function msSince(at: number, now: number): number {
  const passed = (now - at) >>> 0;
  return passed < 2 ** 32 - SKEW_US ? passed / 1000 : 0;
}

/** What is later than this was not late for want of a core: the process was stopped. */
const STOPPED_MS = 1000;

/** How long the process was stopped in a wait so late: nobody has waited, and who is waited for was stopped too. */
export function stoppedMs(late: number): number {
  return late > STOPPED_MS ? late : 0;
}

function offset(): number {
  return uptime() * 1000 - performance.now();
}
