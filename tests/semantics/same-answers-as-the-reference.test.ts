/** Random work, not awaited call by call, on several stores of one file, side by side with the reference. */
import { SDS_DesktopPersistenceProvider, type SDS_PersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { freshFile, rowsOf } from '../support/files.ts';
import { randomOf } from '../support/random.ts';
import { ReferenceProvider } from '../support/reference-provider.ts';

const stores = ['one', 'two', 'three'];

/** Makes the same random call on any provider; `pick` decides, so that both sides get the same. */
function randomCall(pick: (below: number) => number): (providers: SDS_PersistenceProvider[]) => Promise<unknown> {
  const which = pick(stores.length);
  const clock = pick(60);
  const hash = `hash ${pick(5)}`;
  const size = pick(20) === 0 ? pick(300_000) : pick(400);
  const bytes = new Uint8Array(size).fill(pick(256));
  const kind = pick(16);
  return async (providers) => {
    const provider = providers[which] as SDS_PersistenceProvider; // one for each store
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

describe('random work gives the same answers and the same rows as the reference', () => {
  for (const seed of [1, 2, 3, 4]) {
    it(`seed ${seed}: 2,000 calls, now and then awaited, files exchanged halfway`, { timeout: 120_000 }, async () => {
      const pick = randomOf(seed);
      let [ourFile, theirFile] = [freshFile(), freshFile()];
      const answers: { ours: Promise<unknown>; theirs: Promise<unknown>; call: number }[] = [];
      for (let half = 0; half < 2; half++) {
        const ours = stores.map((store) => new SDS_DesktopPersistenceProvider(ourFile, store));
        const theirs = stores.map((store) => new ReferenceProvider(theirFile, store));
        for (let call = 0; call < 1000; call++) {
          const make = randomCall(pick);
          answers.push({ ours: make(ours), theirs: make(theirs), call: half * 1000 + call });
          if (pick(50) === 0) await Promise.all(answers.map(({ ours: answer }) => answer));
        }
        for (const { ours: answer, theirs: wanted, call } of answers.splice(0)) {
          expect(same(await answer, await wanted), `answer to call ${call}`).toBe(true);
        }
        await Promise.all([...ours, ...theirs].map((provider) => provider.close()));
        expect(rowsOf(ourFile)).toEqual(rowsOf(theirFile));
        // each goes on with the file that the other has written
        [ourFile, theirFile] = [theirFile, ourFile];
      }
    });
  }
});

function same(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => same(item, b[index]));
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  return a === b;
}
