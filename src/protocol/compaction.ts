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
