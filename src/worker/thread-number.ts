/** The system's number of the current thread. */
import { readlinkSync } from 'node:fs';
import { ifPossible } from '../protocol/if-possible.ts';

/** 0 where that is not told: only Linux does, and only where there is a /proc. */
export function threadNumber(): number {
  return ifPossible(() => Number(/\d+$/.exec(readlinkSync('/proc/thread-self'))?.[0] ?? 0), 0);
}
