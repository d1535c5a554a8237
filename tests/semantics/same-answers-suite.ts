/** Random work, not awaited call by call, on several stores of one database, side by side with the reference. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../support/engine.ts';
import { freshFile, rowsOf } from '../support/files.ts';
import { randomOf } from '../support/random.ts';
import { lineOf, randomCall } from '../support/random-calls.ts';
import { ReferenceProvider } from '../support/reference-provider.ts';

const stores = ['one', 'two', 'three'];

export function describeSameAnswers(engine: Engine, seeds: readonly number[], callsInHalf = 1000): void {
  describe(`random work on ${engine.name} gives the same answers and the same rows as the reference`, () => {
    for (const seed of seeds) {
      const halfway = engine.isFile ? 'files exchanged halfway' : 'opened anew halfway';
      it(`seed ${seed}: ${2 * callsInHalf} calls, now and then awaited, ${halfway}`, { timeout: 120_000 }, async () => {
        const pick = randomOf(seed);
        let [ourPlace, theirPlace] = [await engine.freshPlace(), freshFile()];
        const answers: { ours: Promise<unknown>; theirs: Promise<unknown>; call: number }[] = [];
        for (let half = 0; half < 2; half++) {
          const ours = stores.map((store) => new SDS_DesktopPersistenceProvider(ourPlace, store));
          const theirs = stores.map((store) => new ReferenceProvider(theirPlace, store));
          for (let call = 0; call < callsInHalf; call++) {
            const make = randomCall(pick, stores.length);
            answers.push({ ours: make(ours), theirs: make(theirs), call: half * callsInHalf + call });
            if (pick(50) === 0) await Promise.all(answers.map(({ ours: answer }) => answer));
          }
          for (const { ours: answer, theirs: wanted, call } of answers.splice(0)) {
            expect(lineOf(await answer), `answer to call ${call}`).toBe(lineOf(await wanted));
          }
          await Promise.all([...ours, ...theirs].map((provider) => provider.close()));
          expect(await engine.rowsOf(ourPlace)).toEqual(rowsOf(theirPlace));
          // each goes on with the file that the other has written
          if (engine.isFile) [ourPlace, theirPlace] = [theirPlace, ourPlace];
        }
      });
    }
  });
}
