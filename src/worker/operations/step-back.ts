/** The rank of this thread among the others. */
import { constants, setPriority } from 'node:os';
import { threadNumber } from '../thread-number.ts';

/** Lets every other thread go first where there are fewer cores than work: nobody waits for this one. */
export function stepBack(): void {
  const thread = threadNumber();
  if (thread === 0) return; // elsewhere this would hold for the whole process
  try {
    setPriority(thread, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // a sandbox may forbid it: then it runs like every other thread
  }
}
