/**
 * Has the log on the disk before a checkpoint, which otherwise waits for that itself and holds up the batches
 * that come meanwhile (half of its time, with a few megabytes): a thread of Node's pool waits instead.
 */
import { closeSync, fdatasync, openSync } from 'node:fs';

/** The event loop tells when it is done, and takes a turn for it no sooner and no more often than this. */
const FIRST_TURN_MS = 10;
const TURNS_APART_MS = 5;

export class LogSync {
  readonly #path: string;
  #state: 'not begun' | 'under way' | 'done' = 'not begun';
  #file: number | undefined;
  #closed = false;
  #turnAt = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Whether all that the log held when `proceed` was first called is on the disk. */
  get isDone(): boolean {
    return this.#state === 'done';
  }

  /** Begins, or goes on; returns whether a turn of the event loop is wanted now. */
  proceed(now: number): boolean {
    if (this.#state === 'not begun') {
      this.#begin();
      this.#turnAt = now + FIRST_TURN_MS;
    }
    if (this.#state !== 'under way' || now < this.#turnAt) return false;
    this.#turnAt = now + TURNS_APART_MS;
    return true;
  }

  #begin(): void {
    this.#state = 'under way';
    try {
      this.#file ??= openSync(this.#path, 'r+');
      fdatasync(this.#file, this.#ended);
    } catch {
      this.#state = 'done'; // there is no log, or no room for another open file: the checkpoint waits for the disk itself
    }
  }

  /** An error is the checkpoint's to tell, which waits for the same bytes. */
  #ended = (): void => {
    this.#state = 'done';
    if (this.#closed) this.#letGo();
  };

  /** For the next checkpoint. */
  reset(): void {
    if (this.#state === 'done') this.#state = 'not begun';
  }

  /** Lets go of the log; it may be opened anew under the same name. */
  close(): void {
    this.#closed = true;
    if (this.#state !== 'under way') this.#letGo(); // else when that has ended
  }

  #letGo(): void {
    const file = this.#file;
    this.#file = undefined;
    try {
      if (file !== undefined) closeSync(file);
    } catch {
      // nothing was written by it: what an error could stand for, SQLite finds itself as it closes the log
    }
  }
}
