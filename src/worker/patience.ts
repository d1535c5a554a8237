/** Waiting without holding up other files: for a promise, and for another process to let go of a file. */
import { cellTime, msSince, stoppedMs } from '../protocol/clock.ts';
import { Promise, performance } from '../protocol/surroundings.ts';
import { EngineError, type MaybePromise, type Member } from './engine.ts';

/** What a task waits for: a time at which to go on, or a promise. */
export type Wait = number | Promise<unknown>;

type Patient = Pick<Member, 'BusyTimeoutMs'>;

/** Between attempts on a busy file: one that is written to without a pause leaves gaps of less than a millisecond. */
const RETRY_MS = 1;
/** Between attempts on any two busy files of this thread: the more of them wait, the longer is the pause of each, and others have their turn. */
const SPACING_MS = 0.25;
/** When the last of the attempts that are due in this thread is due, except those at the end of a wait. */
let lastAt = 0;

/** What has waited along is tried all the same, and has so much left: a lock that others hold for a moment is no reason to fail. */
const LEAST_LEFT_MS = 20;

/**
 * When a database was waited for in vain. Tasks of a file are carried out in turn, so what was called before that has waited along: else
 * each of a hundred loads behind a locked table would fail so much later than the one before it.
 */
export class WaitedInVain {
  #until = Number.NEGATIVE_INFINITY;
  /** For how long the most patient provider wants to wait: kept, because there may be thousands of providers, and as many tasks. */
  #longestMs = 0;
  /** How long what is carried out now has waited along, before its turn. */
  alongMs = 0;

  /** A provider has come. */
  came({ BusyTimeoutMs }: Patient): void {
    this.#longestMs = Math.max(this.#longestMs, BusyTimeoutMs);
  }

  /** A provider has gone, and these are left. */
  went({ BusyTimeoutMs }: Patient, left: ReadonlySet<Patient>): void {
    if (BusyTimeoutMs < this.#longestMs) return;
    this.#longestMs = 0;
    for (const other of left) {
      this.came(other);
      if (this.#longestMs === BusyTimeoutMs) return;
    }
    this.hasWaited(this.alongMs); // which may be longer than any that is left wants to
  }

  /**
   * @param askedAt - when it was called, as in `clock.ts`
   * @param counts - whether it counts that it has waited along. Of writes it does not: they may be gathered until now, and what fails is lost
   */
  begin(askedAt: number, counts: boolean): void {
    const now = performance.now();
    const calledAt = now - msSince(askedAt, cellTime(now));
    this.alongMs = 0;
    if (counts) this.hasWaited(this.#until - calledAt);
  }

  /** What is carried out now has waited for so long. */
  hasWaited(ms: number): void {
    this.alongMs = Math.max(Math.min(ms, this.#longestMs - LEAST_LEFT_MS), 0);
  }

  /** For how long what is carried out now may still wait. */
  get leftMs(): number {
    return this.#longestMs - this.alongMs;
  }

  /** What is carried out now has failed. */
  end(until: number): void {
    this.#until = until;
  }
}

/**
 * Tries again while the database is busy, for as long as one of its providers wants to wait; returns what the attempt comes to.
 *
 * @param inVain - by which it is known how long it has waited already, and which learns of it if that was in vain
 * @throws the failure of the attempt, whatever it has thrown: with the code `otherwise`, if it has none
 */
export function* patiently<T>(
  attempt: () => MaybePromise<T>,
  inVain: WaitedInVain,
  otherwise: EngineError['code'] = 'io-error',
): Generator<Wait, T, unknown> {
  // from the first attempt on: a server may have waited for a lock within it
  const begunAt = performance.now();
  let stopped = 0;
  for (;;) {
    const triedAt = performance.now();
    let asked: MaybePromise<T> | undefined;
    try {
      asked = attempt();
      return yield* settled(asked);
    } catch (thrown) {
      const error = EngineError.of(thrown, otherwise);
      // one that concerns this call alone does not pass with time
      if (error.code !== 'database-busy' || error.onlyOfSome) throw error;
      const now = performance.now();
      if (asked === undefined) stopped += stoppedMs(now - triedAt);
      const deadline = begunAt + stopped + inVain.leftMs;
      if (now >= deadline) {
        inVain.end(now - stopped);
        throw error;
      }
      // not in step with another process that waits as well
      const next = Math.max(lastAt + SPACING_MS, now + RETRY_MS * (0.5 + Math.random()));
      // what is not used is left to others: else calls that wait for moments would put theirs off, for longer and longer
      if (next < deadline) lastAt = next;
      const until = Math.min(next, deadline);
      yield until;
      stopped += stoppedMs(performance.now() - until);
    }
  }
}

/** Waits for a promise, if it is one. */
export function* settled<T>(value: MaybePromise<T>): Generator<Wait, T, unknown> {
  if (!(value instanceof Promise)) return value;
  let outcome: PromiseSettledResult<T> | undefined;
  yield Promise.allSettled([value]).then(([one]) => {
    outcome = one;
  });
  if (outcome?.status === 'fulfilled') return outcome.value;
  throw outcome?.reason;
}
