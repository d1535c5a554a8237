/** Ways to tell a thread that another one has finished something: what is it for the thread that is told? */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { measure, median } from '../measure.ts';
import type { Work } from '../work/work.ts';

const ONCE_A_MS = 0;
const EACH = 1;

const finishing = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { shared, batches, workMs, way } = workerData;
  const cell = new Int32Array(shared);
  parentPort.on('message', () => {
    let toldAt = 0;
    for (let batch = 0; batch < batches; batch++) {
      const until = performance.now() + workMs;
      while (performance.now() < until);
      Atomics.add(cell, 0, 1);
      if (way === 2) parentPort.postMessage(batch);
      else if (way === 1 || until - toldAt >= 1) {
        toldAt = until;
        Atomics.notify(cell, 0);
      }
    }
    Atomics.notify(cell, 0);
  });
  parentPort.postMessage('online');`;

/** `way`: 0 a notification at most once a millisecond, 1 one for each batch, 2 a message for each. */
export const wakes: Work = async ({ sizes }) => {
  const { batches = 100, workMs = 0.1, samples = 3, way = ONCE_A_MS } = sizes;
  const shared = new SharedArrayBuffer(4);
  const cell = new Int32Array(shared);
  const worker = new Worker(finishing, { eval: true, workerData: { shared, batches, workMs, way } });
  await once(worker, 'message');
  const costs: number[] = [];
  for (let sample = 0; sample <= samples; sample++) {
    Atomics.store(cell, 0, 0);
    const { mainUs } = await measure(async () => {
      worker.postMessage('go');
      if (way <= EACH) {
        for (let seen = 0; seen < batches; seen = Atomics.load(cell, 0)) {
          const wait = Atomics.waitAsync(cell, 0, seen);
          if (wait.async) await wait.value;
        }
      } else {
        for (let seen = 0; seen < batches; seen++) await once(worker, 'message');
      }
    });
    costs.push(mainUs / batches);
  }
  await worker.terminate();
  return { mainUs: median(costs.slice(1)) };
};
