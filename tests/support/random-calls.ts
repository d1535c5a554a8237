/** Random calls that can be made on any provider: the same seed gives the same calls. */
import { createHash } from 'node:crypto';
import type { SDS_Record, SDS_StoreContents } from 'sds-persistence-worker';
import type { ExtendedProvider, Seen } from './extended-reference.ts';

const nothing = { SnapshotClock: undefined, Patches: [] };

/**
 * Makes one call, on one of as many providers as there are.
 *
 * @param pick - decides; two sides with generators of the same seed make the same calls
 * @param providers - how many providers there will be
 * @param hashes - what the hashes of values begin with
 * @returns makes the call; a compaction is told that its store is as `seen` says, or that there is nothing in it
 */
export function randomCall(
  pick: (below: number) => number,
  providers: number,
  hashes = 'hash',
): (on: readonly ExtendedProvider[], seen?: readonly Seen[]) => Promise<unknown> {
  const which = pick(providers);
  const clock = pick(60);
  const hash = `${hashes} ${pick(5)}`;
  const size = pick(20) === 0 ? pick(300_000) : pick(400);
  const bytes = new Uint8Array(size).fill(pick(256));
  const key = ['a', 'ab', 'b', 'ä', 'ab\0'][pick(5)] ?? '';
  const kind = pick(25);
  const rare = pick(8);
  return async (on, seen) => {
    const provider = on[which] as ExtendedProvider; // `providers` says how many there are
    if (kind < 7) return provider.appendPatch(bytes, clock);
    if (kind === 7) return provider.saveSnapshot(bytes, clock);
    if (kind === 8) return provider.prunePatches(clock);
    if (kind < 11) return provider.saveValue(hash, bytes);
    if (kind < 13) return provider.releaseValue(hash);
    if (kind === 13) return provider.loadPatchesSince(clock);
    if (kind === 14) return provider.loadValue(hash);
    if (kind === 15) return provider.loadSnapshot();
    if (kind === 16) return provider.loadStore();
    if (kind === 17) return provider.compactStore(bytes, seen?.[which] ?? { ...nothing, LastClock: clock });
    if (kind < 21) return provider.saveRecord(key, bytes);
    if (kind === 21) return provider.loadRecord(key);
    if (kind === 22) return provider.loadRecords(rare < 2 ? '' : key);
    if (kind === 23) return provider.removeRecord(key);
    if (rare > 1) return provider.removeRecords(key);
    return provider.removeStore();
  };
}

/** A line by which an answer can be told from any other. */
export function lineOf(answer: unknown): string {
  if (answer === undefined) return 'nothing';
  if (typeof answer === 'boolean') return String(answer);
  if (answer instanceof Uint8Array) return `bytes ${digestOf([answer])}`;
  if (!Array.isArray(answer)) {
    const { Snapshot, SnapshotClock, Patches, LastClock } = answer as SDS_StoreContents;
    return `store ${lineOf(Snapshot)}, ${SnapshotClock}; ${lineOf(Patches)}, ${LastClock}`;
  }
  const parts = answer.map((part: Uint8Array | SDS_Record) => (part instanceof Uint8Array ? part : part.Data));
  const keys = answer.map((part: Uint8Array | SDS_Record) => (part instanceof Uint8Array ? '' : part.Key));
  return `${parts.length} ${JSON.stringify(keys.filter((key) => key !== ''))} ${digestOf(parts)}`;
}

function digestOf(parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.byteLength} `).update(part);
  return hash.digest('hex');
}
