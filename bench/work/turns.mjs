/**
 * The longest turn of this thread, in processor time, so that what other processes take of the cores is not in it: a timer looks each
 * millisecond. The system brings that time up to date when a thread goes to sleep, so what was taken counts from one
 * look that came in time to the next. Beside it, delays of the event loop as the clock has them.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** A look that comes later than this after the one before has waited for something. */
const IN_TIME_MS = 3;

const usedMs = () => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};

/** Begins to look; the function that is returned ends it. */
export function watchTurns() {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  let longest = 0;
  let last = performance.now();
  let used = usedMs();
  const look = () => {
    const now = performance.now();
    const isInTime = now - last <= IN_TIME_MS;
    last = now;
    if (!isInTime) return;
    const usedNow = usedMs();
    longest = Math.max(longest, usedNow - used);
    used = usedNow;
  };
  const timer = setInterval(look, 1);
  histogram.enable();
  return () => {
    clearInterval(timer);
    histogram.disable();
    longest = Math.max(longest, usedMs() - used);
    return { turnMs: longest, delayP999Ms: histogram.percentile(99.9) / 1e6, delayMaxMs: histogram.max / 1e6 };
  };
}
