/** Waiting without holding up other files: for a promise, and for another process to let go of a file. */
import { stoppedMs } from '../protocol/clock.ts';
import { Promise, performance } from '../protocol/surroundings.ts';
import { type Caller, EngineError, type MaybePromise } from './engine.ts';

/** What a task waits for: a time at which to go on, or a promise. */
export type Wait = number | Promise<unknown>;

/** Between attempts on a busy file. Short, since a busy writer leaves only short gaps. */
const FIRST_RETRY_MS = 0.5;
const LONGEST_RETRY_MS = 5;

/**
 * Tries again while the database is busy, for as long as one of these callers wants to wait; returns what the attempt comes to.
 *
 * @throws the failure of the attempt, whatever it has thrown: with the code `otherwise`, if it has none
 */
export function* patiently<T>(
  attempt: () => MaybePromise<T>,
  callers: ReadonlySet<Caller>,
  otherwise: EngineError['code'] = 'io-error',
): Generator<Wait, T, unknown> {
  // from the first attempt on: a server may have waited for a lock within it
  let begunAt = performance.now();
  for (let pause = FIRST_RETRY_MS; ; pause = Math.min(pause * 2, LONGEST_RETRY_MS)) {
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
      if (asked === undefined) begunAt += stoppedMs(now - triedAt);
      let longestMs = 0;
      for (const { BusyTimeoutMs } of callers) longestMs = Math.max(longestMs, BusyTimeoutMs);
      const deadline = begunAt + longestMs;
      if (now >= deadline) throw error;
      // not in step with another process that waits as well
      const until = Math.min(now + pause * (0.5 + Math.random()), deadline);
      yield until;
      begunAt += stoppedMs(performance.now() - until);
    }
  }
}

/** Waits for a promise, if it is one. */
export function* settled<T>(value: MaybePromise<T>): Generator<Wait, T, unknown> {
  if (!(value instanceof Promise)) return value;
  let outcome: { value: T } | { error: unknown } | undefined;
  yield value.then(
    (result) => {
      outcome = { value: result };
    },
    (error: unknown) => {
      outcome = { error };
    },
  );
  if (outcome !== undefined && 'value' in outcome) return outcome.value;
  throw outcome?.error;
}
