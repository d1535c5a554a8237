/** The current thread: the system's number of it, and its rank among the others. */
import { readlinkSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { ifPossible } from '../protocol/if-possible.ts';

/** 0 where that is not told: only Linux does, and only where there is a /proc. */
export function threadNumber(): number {
  return ifPossible(() => Number(/\d+$/.exec(readlinkSync('/proc/thread-self'))?.[0] ?? 0), 0);
}

/** Lets every other thread go first where there are fewer cores than work: nobody waits for this one. */
export function stepBack(): void {
  const thread = threadNumber();
  // elsewhere this would hold for the whole process; and a sandbox may forbid it: then it runs like every other thread
  if (thread !== 0) ifPossible(() => setPriority(thread, constants.priority.PRIORITY_BELOW_NORMAL));
}
