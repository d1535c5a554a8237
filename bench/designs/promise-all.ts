/** What `Promise.all` costs whoever awaits many calls at once: by what kind of promise, and how many share one. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Acknowledgement } from '../../src/main/queue/acknowledgement.ts';
import { measure, median } from '../measure.ts';
import type { Work } from '../work/work.ts';

const nobody = { waitedFor: () => {} };
function acknowledgement(): PromiseWithResolvers<void> {
  const made = Acknowledgement.of<void>();
  Acknowledgement.standsFor(made.promise, nobody);
  return made;
}
const native = () => Promise.withResolvers<void>();

/** `ours`: 1 the provider's promises, which know who waits; `sharing`: so many calls have one promise. */
export const promiseAll: Work = async ({ sizes }) => {
  const { count = 1000, samples = 3, ours = 1, sharing = 1 } = sizes;
  const make = ours === 1 ? acknowledgement : native;
  const costs: number[] = [];
  for (let sample = 0; sample <= samples; sample++) {
    const made = Array.from({ length: Math.ceil(count / sharing) }, make);
    const promises = Array.from({ length: count }, (_, i) => made[Math.floor(i / sharing)]?.promise);
    await nextTurn();
    const { mainUs } = await measure(async () => {
      const all = Promise.all(promises);
      for (const { resolve } of made) resolve();
      await all;
    });
    costs.push(mainUs / count);
  }
  return { mainUs: median(costs.slice(1)) };
};
