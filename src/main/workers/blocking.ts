/** Waiting for a worker in a thread that is blocked meanwhile: no event reaches it. */
import { performance } from '../../protocol/surroundings.ts';
import type { Channel } from '../channel/channel.ts';

/** It looks this often whether its worker still lives. */
const LIFE_CHECK_MS = 50;

/**
 * Calls `isDone` again whenever the worker has proceeded, until that is so (true), or nothing has proceeded
 * for `patienceMs`, or `totalMs` are over (false).
 */
export function blockUntil(
  isDone: () => boolean,
  channel: Channel,
  checkLife: () => void,
  patienceMs: number,
  totalMs: number,
): boolean {
  let start = performance.now();
  let lastProgress = start;
  let lastSeen = channel.progress;
  for (;;) {
    const seen = channel.progress;
    if (isDone()) return true;
    const now = performance.now();
    if (seen !== lastSeen) {
      lastSeen = seen;
      lastProgress = now;
    }
    const left = Math.min(lastProgress + patienceMs, start + totalMs) - now;
    if (left <= 0) return false;
    const waitMs = Math.min(left, LIFE_CHECK_MS);
    if (channel.waitForProgress(seen, waitMs)) continue;
    // a process that was stopped meanwhile has not waited: its worker was stopped as well
    const stoppedMs = Math.max(0, performance.now() - now - waitMs);
    start += stoppedMs;
    lastProgress += stoppedMs;
    checkLife();
  }
}
