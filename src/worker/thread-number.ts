/** The system's number of the current thread. */
import { readlinkSync } from 'node:fs';

/** 0 where that is not told: only Linux does, and only where there is a /proc. */
export function threadNumber(): number {
  try {
    return Number(/\d+$/.exec(readlinkSync('/proc/thread-self'))?.[0] ?? 0);
  } catch {
    return 0;
  }
}
