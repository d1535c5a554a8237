/** Random work, not awaited call by call, on several stores of one database, side by side with the reference. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../support/engine.ts';
import { ExtendedReference, type Seen } from '../support/extended-reference.ts';
import { freshFile, rowsOf } from '../support/files.ts';
import { randomOf } from '../support/random.ts';
import { lineOf, randomCall } from '../support/random-calls.ts';

const stores = ['one', 'two', 'three'];
const CALLS_IN_HALF = 500;

export function describeSameAnswers(engine: Engine, seeds: readonly number[]): void {
  describe(`random work on ${engine.name} gives the same answers and the same rows as the reference`, () => {
    for (const seed of seeds) {
      const halfway = engine.isFile ? 'files exchanged halfway' : 'opened anew halfway';
      it(`seed ${seed}: ${2 * CALLS_IN_HALF} calls, now and then awaited, ${halfway}`, async () => {
        const pick = randomOf(seed);
        let [ourPlace, theirPlace] = [await engine.freshPlace(), freshFile()];
        const answers: { ours: Promise<unknown>; theirs: Promise<unknown>; call: number }[] = [];
        for (let half = 0; half < 2; half++) {
          const ours = stores.map((store) => new SDS_DesktopPersistenceProvider(ourPlace, store));
          const theirs = stores.map((store) => new ExtendedReference(theirPlace, store));
          // before that, promises of snapshots resolve later than theirs: prunes leave more
          await Promise.all(ours.map((provider) => provider.ready()));
          // what compactions are made from: now and then out of date by the time of the call
          let seen: readonly Seen[] = [];
          for (let call = 0; call < CALLS_IN_HALF; call++) {
            const make = randomCall(pick, stores.length);
            answers.push({ ours: make(ours, seen), theirs: make(theirs, seen), call: half * CALLS_IN_HALF + call });
            if (pick(25) > 0) continue;
            await Promise.all(answers.map(({ ours: answer }) => answer));
            seen = await Promise.all(theirs.map((provider) => provider.loadStore()));
          }
          for (const { ours: answer, theirs: wanted, call } of answers.splice(0)) {
            expect(lineOf(await answer), `answer to call ${call}`).toBe(lineOf(await wanted));
          }
          expect(await ours[0]?.listStores()).toEqual(await theirs[0]?.listStores());
          await Promise.all([...ours, ...theirs].map((provider) => provider.close()));
          expect(await engine.rowsOf(ourPlace)).toEqual(rowsOf(theirPlace));
          // each goes on with the file that the other has written
          if (engine.isFile) [ourPlace, theirPlace] = [theirPlace, ourPlace];
        }
      });
    }
  });
}
