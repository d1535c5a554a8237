/** Where a file's commits and failures are published, and what the main side is told of a failure. */
import type { Arena } from '../protocol/arena.ts';
import { reached } from '../protocol/control.ts';
import type { Delays } from '../protocol/delays.ts';
import { FIRST_ERROR } from '../protocol/entries.ts';
import type { Settlers } from '../protocol/error-board.ts';
import { errorCodes } from '../protocol/errors.ts';
import type { Failure } from '../protocol/service.ts';
import { type Caller, type CommitPoint, type EngineError, WHOLE } from './engine.ts';

/** What a file needs of the worker around it. */
export interface FileHost {
  readonly arena: Arena;
  readonly members: ReadonlyMap<number, Caller>;
  readonly commitPoints: Int32Array;
  /** Something is finished; by an answer the main side hears of it anyway. */
  progressed(answered: boolean): void;
  /** A task that waited for a promise can go on. */
  resumed(): void;
  /** Something failed: the main side is told at once, and what of. */
  report(file: number, number: number, which: Settlers, outcome: number, failure: Failure): void;
}

export class Outcomes {
  readonly #file: number;
  readonly delays: Delays;
  readonly #host: FileHost;

  constructor(file: number, delays: Delays, host: FileHost) {
    this.#file = file;
    this.delays = delays;
    this.#host = host;
  }

  /** Where the commit of a large write is published, or that of batches that are committed together. */
  point(first: number, number: number, askedAt: readonly number[]): CommitPoint {
    const { commitPoints: cells } = this.#host;
    return { cells, index: this.#file, value: number, askedAt, delays: this.delays, number, first, part: WHOLE };
  }

  /** Publishes the end of what has failed, as a whole or in part; that of what was committed is published by its engine. */
  dealtWith(number: number): void {
    Atomics.store(this.#host.commitPoints, this.#file, number);
  }

  isDealtWith(number: number): boolean {
    return reached(Atomics.load(this.#host.commitPoints, this.#file), number);
  }

  /** Says what went wrong with these promises of a batch; returns the outcome that stands for it. */
  report(number: number, which: Settlers, error: EngineError): number {
    const outcome = FIRST_ERROR + errorCodes.indexOf(error.code);
    this.#host.report(this.#file, number, which, outcome, failureOf(error));
    return outcome;
  }
}

export function failureOf({ code, reported }: EngineError): Failure {
  return { code, cause: reported };
}
