/** The rank of this thread among the others. */
import { readlinkSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/** The system's number of it; 0 where that is not told: only Linux does. */
function currentThread(): number {
  try {
    return Number(/\d+$/.exec(readlinkSync('/proc/thread-self'))?.[0] ?? 0);
  } catch {
    return 0;
  }
}

/** Lets every other thread go first where there are fewer cores than work: nobody waits for this one. */
export function stepBack(): void {
  const thread = currentThread();
  if (thread === 0) return; // elsewhere this would hold for the whole process
  try {
    setPriority(thread, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // a sandbox may forbid it: then it runs like every other thread
  }
}
