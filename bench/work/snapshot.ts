/**
 * A large snapshot: for how long the call, and the end of the turn in which it is made, block. With `restMs` there is a
 * rest after each: a program saves a snapshot now and then, and a driver may tidy up behind one.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { measure, median, randomBytes } from '../measure.ts';
import type { Work } from './work.ts';

export const snapshot: Work = async ({ driver, folder, sizes }) => {
  const { bytes = 1024, samples = 3, warm = 1, restMs = 0 } = sizes;
  const database = await driver.open(folder);
  const store = database.store('store');
  // small ones first, so that the code is compiled: as in a program that has run for a while
  for (let i = 0; i < warm; i++) await store.saveSnapshot(randomBytes(64 * 1024));
  const kept = randomBytes(bytes);
  const blocked: number[] = [];
  const main: number[] = [];
  const whole: number[] = [];
  for (let sample = 0; sample <= samples; sample++) {
    const data = kept.slice(); // fresh bytes: they may be handed over
    const { mainUs, wallUs } = await measure(async () => {
      const start = performance.now();
      const saved = store.saveSnapshot(data);
      // what a driver sends at the end of the turn was queued before this
      await new Promise<void>((resolve) => queueMicrotask(resolve));
      blocked.push(performance.now() - start);
      await saved;
    });
    main.push(mainUs / 1000);
    whole.push(wallUs / 1000);
    if (restMs > 0) await pause(restMs);
  }
  await database.close();
  // the first large one stands by itself: memory is touched for the first time
  const middle = (values: number[]) => median(values.slice(1));
  const [firstBlockedMs = Number.NaN] = blocked;
  return { blockedMs: middle(blocked), mainMs: middle(main), wholeMs: middle(whole), firstBlockedMs };
};
