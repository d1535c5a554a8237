/** Counts this worker's checkpoints where the main side can read it, and notes when each of the latest was. */

import { OFFSET_MS } from '../../protocol/clock.ts';
import { CHECKPOINT_MICROSECONDS, CHECKPOINTS, checkpointAt, checkpointNumbers } from '../../protocol/control.ts';
import { performance } from '../../protocol/surroundings.ts';

let cells: Int32Array | undefined;
let numbers: Float64Array | undefined;

export function countCheckpointsIn(control: SharedArrayBuffer): void {
  cells = new Int32Array(control);
  numbers = checkpointNumbers(control);
}

/** One that began when this thread's `performance.now()` gave `begunAt`, and has ended now. */
export function countCheckpoint(begunAt: number): void {
  if (cells === undefined || numbers === undefined) return;
  const microseconds = Math.round((performance.now() - begunAt) * 1000);
  const before = Atomics.add(cells, CHECKPOINT_MICROSECONDS, microseconds);
  const inAll = (before + microseconds) >>> 0;
  const at = checkpointAt(Atomics.load(cells, CHECKPOINTS));
  numbers.set([begunAt + OFFSET_MS, microseconds / 1000, inAll / 1000], at);
  Atomics.add(cells, CHECKPOINTS, 1); // last: who sees it counted sees the numbers too
}
