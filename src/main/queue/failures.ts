/** What has failed of a provider's calls, for those who ask after all of them: `flush`, `flushSync` and `close`. */
import type { SDS_PersistenceError } from '../../protocol/errors.ts';

/** A call that has failed, and the next one: whoever keeps one finds what has failed since. */
export interface Failed {
  /** The call's place among all on its file. */
  readonly place: number;
  readonly error: SDS_PersistenceError | undefined;
  /** Whether its promise had resolved. */
  readonly isUnheard: boolean;
  next: Failed | undefined;
}

export class Failures {
  /** At first, none. */
  last: Failed = { place: 0, error: undefined, isUnheard: false, next: undefined };
  /** The first one of a call whose promise had resolved, until `flush` or `close` rejects with it. */
  unheard: Pick<Failed, 'place' | 'error'> | undefined;

  add(error: SDS_PersistenceError, place: number, isUnheard: boolean): void {
    this.last = this.last.next = { place, error, isUnheard, next: undefined };
    if (isUnheard) this.unheard ??= { place, error };
  }

  /**
   * What a `flush` of this place rejects with: the first one that is kept here, by which all up to that place is told; else that of a
   * call that was pending. When they failed makes no difference then.
   *
   * @param before - the last one when the `flush` was called
   */
  toldTo(place: number, before: Failed): SDS_PersistenceError | undefined {
    const { unheard } = this;
    if (unheard === undefined || unheard.place > place) {
      return firstBehind(before, (failed) => failed.place <= place)?.error; // some are called later, and end before
    }
    const next = firstBehind(before, (failed) => failed.isUnheard && failed.place > place);
    this.unheard = next && { place: next.place, error: next.error };
    return unheard.error;
  }
}

/** The first failure since another one of which that holds. */
function firstBehind({ next }: Failed, holds: (failed: Failed) => boolean): Failed | undefined {
  let failed = next;
  while (failed !== undefined && !holds(failed)) failed = failed.next;
  return failed;
}
