/**
 * Traffic for so long that the write-ahead log is taken into the database meanwhile: how long does a caller wait at the worst
 * moment? One patch in some is awaited; the others are `.catch`-ed, as a sync engine does it.
 */
import { quantile } from '../measure.ts';
import { Program } from './paced-program.ts';
import type { Metrics, Work } from './work.ts';

const RATES = [1000, 5000, 20_000];
/** So many calls a second are awaited. */
const AWAITED_A_SECOND = 100;

export const stretch: Work = async ({ driver, folder, sizes }) => {
  const { stretchMs = 1000 } = sizes;
  const database = await driver.open(folder);
  const program = new Program([database.store('store')]);
  const metrics: Metrics = {};
  for (const rate of RATES) {
    const tookMs: number[] = [];
    const ended: Promise<void>[] = [];
    const awaited = async (patch: Uint8Array) => {
      const calledAt = performance.now();
      await program.append(patch);
      tookMs.push(performance.now() - calledAt);
    };
    let calls = 0;
    await program.receive(rate, stretchMs, (patch) => {
      if (calls++ % (rate / AWAITED_A_SECOND) === 0) ended.push(awaited(patch));
      else program.append(patch);
    });
    await program.settle();
    await Promise.all(ended);
    metrics[`commitP50Ms at ${rate}`] = quantile(tookMs, 0.5);
    metrics[`commitP99Ms at ${rate}`] = quantile(tookMs, 0.99);
    metrics[`commitMaxMs at ${rate}`] = Math.max(...tookMs);
  }
  await program.close();
  await database.close();
  return metrics;
};
