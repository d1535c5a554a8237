/** Counts this worker's checkpoints where the main side can read it. */
import { CHECKPOINT_MICROSECONDS, CHECKPOINTS } from '../../protocol/control.ts';

let cells: Int32Array | undefined;

export function countCheckpointsIn(control: SharedArrayBuffer): void {
  cells = new Int32Array(control);
}

export function countCheckpoint(milliseconds: number): void {
  if (cells === undefined) return;
  Atomics.add(cells, CHECKPOINT_MICROSECONDS, Math.round(milliseconds * 1000));
  Atomics.add(cells, CHECKPOINTS, 1);
}
