/**
 * A clock that all threads of a process read alike, in a cell: `performance.now()` counts from the start of each
 * thread, from the system's clock that never goes back (`process.hrtime`).
 */

/** The first call of either clock takes up to a millisecond: of some attempts, the one with the least of it between. */
export const OFFSET_MS = Math.max(offset(), offset(), offset());
const TICKS_A_MS = 8;

/** The time at which `performance.now()` gave this number; wraps at 32 bits, after some days. */
export function ticksAt(now: number): number {
  return ((now + OFFSET_MS) * TICKS_A_MS) | 0;
}

/** How many milliseconds passed between two times. */
export function msBetween(from: number, to: number): number {
  return ((to - from) | 0) / TICKS_A_MS;
}

function offset(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6 - performance.now();
}
