/** Random work, not awaited call by call, on several stores of one file, side by side with the reference. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { freshFile, rowsOf } from '../support/files.ts';
import { randomOf } from '../support/random.ts';
import { lineOf, randomCall } from '../support/random-calls.ts';
import { ReferenceProvider } from '../support/reference-provider.ts';

const stores = ['one', 'two', 'three'];

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
          const make = randomCall(pick, stores.length);
          answers.push({ ours: make(ours), theirs: make(theirs), call: half * 1000 + call });
          if (pick(50) === 0) await Promise.all(answers.map(({ ours: answer }) => answer));
        }
        for (const { ours: answer, theirs: wanted, call } of answers.splice(0)) {
          expect(lineOf(await answer), `answer to call ${call}`).toBe(lineOf(await wanted));
        }
        await Promise.all([...ours, ...theirs].map((provider) => provider.close()));
        expect(rowsOf(ourFile)).toEqual(rowsOf(theirFile));
        // each goes on with the file that the other has written
        [ourFile, theirFile] = [theirFile, ourFile];
      }
    });
  }
});
