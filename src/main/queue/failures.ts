/** What has failed of a provider's calls, for those who ask after all of them: `flush`, `flushSync` and `close`. */
import type { SDS_PersistenceError } from '../../protocol/errors.ts';

/** A call that has failed, and the next one: whoever keeps one finds what has failed since. */
export interface Failed {
  /** The call's place among all on its file. */
  readonly place: number;
  readonly error: SDS_PersistenceError | undefined;
  /** Whether its promise had resolved. */
  isUnheard: boolean;
  next: Failed | undefined;
}

export class Failures {
  /** At first, none. */
  last: Failed = { place: 0, error: undefined, isUnheard: false, next: undefined };
  /** The first one of a call whose promise had resolved, until `flush` or `close` rejects with it. */
  unheard: Pick<Failed, 'place' | 'error'> | undefined;

  add(error: SDS_PersistenceError, place: number): void {
    this.last = this.last.next = { place, error, isUnheard: false, next: undefined };
  }

  /** The promise of the last one had resolved. */
  lastIsUnheard(error: SDS_PersistenceError): void {
    this.last.isUnheard = true;
    this.unheard ??= { place: this.last.place, error };
  }

  /** The first one that a `flush` of this place is to tell, if none of its own calls has failed. */
  unheardUpTo(place: number): SDS_PersistenceError | undefined {
    return this.unheard !== undefined && this.unheard.place <= place ? this.unheard.error : undefined;
  }

  /**
   * `flush` rejects with `error`. If that is the one kept here, all up to `place` is told; the next unheard failure of a later
   * call takes its place.
   */
  told(error: unknown, place: number, before: Failed): void {
    if (error === undefined || this.unheard?.error !== error) return;
    const next = firstBehind(before, (failed) => failed.isUnheard && failed.place > place);
    this.unheard = next && { place: next.place, error: next.error };
  }
}

/** The first failure since another one of which that holds. */
export function firstBehind({ next }: Failed, holds: (failed: Failed) => boolean): Failed | undefined {
  let failed = next;
  while (failed !== undefined && !holds(failed)) failed = failed.next;
  return failed;
}
