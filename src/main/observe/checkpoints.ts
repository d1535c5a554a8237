/** Tells of a worker's checkpoints. It runs them between batches and only counts them: they are told with the next progress. */
import { begin, finish } from './channels.ts';

export class CheckpointObserver {
  #told = 0;

  /** How many there were so far, and for how long in all. */
  counted(checkpoints: number, microseconds: number): void {
    if (checkpoints === this.#told) return;
    this.#told = checkpoints;
    finish(
      'checkpoint',
      begin('checkpoint', () => ({ Checkpoints: checkpoints, Milliseconds: microseconds / 1000 })),
    );
  }
}
