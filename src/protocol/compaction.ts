/** What a compaction was made from, as it crosses to the worker: as the key of its entry, beside its number and bytes. */

/** The state of a store that a compaction replaces. */
export interface SeenStore {
  /** The number of its snapshot, `undefined` without one. */
  snapshotClock: number | undefined;
  /** How many patches there were, all of them up to the number of the compaction. */
  patches: number;
}

export function keyOfSeen({ snapshotClock, patches }: SeenStore): string {
  return `${snapshotClock ?? ''} ${patches}`;
}

export function seenOf(key: string): SeenStore {
  const [clock = '', patches] = key.split(' ');
  return { snapshotClock: clock === '' ? undefined : Number(clock), patches: Number(patches) };
}

/**
 * The number of the snapshot that a compaction up to `clock` stores: that one, but higher than that of the snapshot that it takes
 * the place of, if there were patches. Of two compactions of one state the second has to see the first; patches that came late, below
 * the snapshot's number, would leave that as it was, and as many that came since then would be taken for those that were seen.
 */
export function snapshotNumber(clock: number, { snapshotClock, patches }: SeenStore): number {
  if (snapshotClock === undefined) return clock;
  const least = patches > 0 ? Math.min(snapshotClock + 1, Number.MAX_SAFE_INTEGER) : snapshotClock;
  return Math.max(clock, least);
}
