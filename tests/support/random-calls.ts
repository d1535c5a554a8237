/** Random calls that can be made on any provider: the same seed gives the same calls. */
import { createHash } from 'node:crypto';
import type { SDS_PersistenceProvider } from 'sds-persistence-worker';

/**
 * Makes one call, on one of as many providers as there are.
 *
 * @param pick - decides; two sides with generators of the same seed make the same calls
 * @param providers - how many providers there will be
 * @param hashes - what the hashes of values begin with
 */
export function randomCall(
  pick: (below: number) => number,
  providers: number,
  hashes = 'hash',
): (on: readonly SDS_PersistenceProvider[]) => Promise<unknown> {
  const which = pick(providers);
  const clock = pick(60);
  const hash = `${hashes} ${pick(5)}`;
  const size = pick(20) === 0 ? pick(300_000) : pick(400);
  const bytes = new Uint8Array(size).fill(pick(256));
  const kind = pick(16);
  return async (on) => {
    const provider = on[which] as SDS_PersistenceProvider; // `providers` says how many there are
    if (kind < 7) return provider.appendPatch(bytes, clock);
    if (kind === 7) return provider.saveSnapshot(bytes, clock);
    if (kind === 8) return provider.prunePatches(clock);
    if (kind < 11) return provider.saveValue(hash, bytes);
    if (kind < 13) return provider.releaseValue(hash);
    if (kind === 13) return provider.loadPatchesSince(clock);
    if (kind === 14) return provider.loadValue(hash);
    return provider.loadSnapshot();
  };
}

/** A line by which an answer can be told from any other. */
export function lineOf(answer: unknown): string {
  if (answer === undefined) return 'nothing';
  const parts = (Array.isArray(answer) ? answer : [answer]) as Uint8Array[];
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.byteLength} `).update(part);
  return `${Array.isArray(answer) ? parts.length : 'bytes'} ${hash.digest('hex')}`;
}
