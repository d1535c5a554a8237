/** The control file of torture/faulty-calls.c, as the process that meets the faults sees it. */
import { openSync, readSync, writeSync } from 'node:fs';
import { constants } from 'node:os';

const ANY_ERROR = 5;
const DEATH = 6;
/** kind, countdown, calls, fired, stays, error, concerned */
const CELLS = 7;
/** The bits of kinds of calls; that of THREADS is of threads that are started. */
export const WRITES = 1;
export const SYNCS = 2;
export const TRUNCATES = 4;
export const OPENS = 8;
export const STATS = 16;
export const ACCESSES = 64;
export const READS = 128;
export const UNLINKS = 512;
export const THREADS = 1024;
export const LOCKS = 2048;
/** All but those two. */
export const ANY_CALL = 0x7fff & ~THREADS & ~LOCKS;

export class FaultControl {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'r+');
  }

  #write(cells: readonly number[]): void {
    writeSync(
      this.#file,
      Int32Array.from({ length: CELLS }, (_, i) => cells[i] ?? 0),
      0,
      CELLS * 4,
      0,
    );
  }

  /** The n-th call of these kinds fails, and all after it if the trouble stays. */
  arm(calls: number, error: string, n: number, stays: boolean): void {
    this.#write([ANY_ERROR, n, 0, 0, Number(stays), constants.errno[error as keyof typeof constants.errno], calls]);
  }

  /** The process is killed before the n-th call of these kinds. */
  armDeath(calls: number, n: number): void {
    this.#write([DEATH, n, 0, 0, 0, 0, calls]);
  }

  /** Ends the trouble; returns how often it has happened. */
  disarm(): number {
    const cells = new Int32Array(CELLS);
    readSync(this.#file, cells, 0, CELLS * 4, 0);
    this.#write([]);
    return cells[3] ?? 0;
  }
}
