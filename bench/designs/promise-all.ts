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

/** Notices who waits by its `then` alone: for `await` and `Promise.all` it is no native promise, and they call it. */
class ByThenAlone<T> extends Promise<T> {
  behind: { waitedFor(): void } | undefined;

  // biome-ignore lint/suspicious/noThenProperty: it is the one of a promise
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    const { behind } = this;
    const next = super.then(onFulfilled, onRejected);
    if (behind === undefined) return next;
    if (typeof onFulfilled === 'function') {
      behind.waitedFor();
      this.behind = undefined;
    } else {
      (next as ByThenAlone<A | B>).behind = behind;
    }
    return next;
  }
}

function byThenAlone(): PromiseWithResolvers<void> {
  const made = Promise.withResolvers.call(ByThenAlone) as PromiseWithResolvers<void>;
  (made.promise as ByThenAlone<void>).behind = nobody;
  return made;
}

const kinds = [native, acknowledgement, byThenAlone];

/** `kind`: 0 native promises, 1 the provider's, which know who waits, 2 by `then` alone; `sharing`: so many calls have one promise. */
export const promiseAll: Work = async ({ sizes }) => {
  const { count = 1000, samples = 3, kind = 1, sharing = 1 } = sizes;
  const make = kinds[kind];
  if (make === undefined) throw new RangeError(`there is no kind ${kind}`);
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
