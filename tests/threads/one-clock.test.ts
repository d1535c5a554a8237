/** What a thread notes as the time of a batch, another one reads as the same time, whenever either was started. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { cellTime, msBetween } from '../../src/protocol/clock.ts';

const clock = new URL('../../src/protocol/clock.ts', import.meta.url).href;
const telling = `
  const { parentPort } = require('node:worker_threads');
  import(${JSON.stringify(clock)}).then(({ cellTime }) => {
    parentPort.on('message', () => parentPort.postMessage(cellTime(performance.now())));
    parentPort.postMessage('online');
  });`;

/** What two clocks are read apart. */
const LEAST_MS = -0.25;

it('threads agree on the time', async () => {
  for (let thread = 0; thread < 5; thread++) {
    const worker = new Worker(telling, { eval: true });
    await once(worker, 'message');
    const before = cellTime(performance.now());
    worker.postMessage('tell');
    const [there] = (await once(worker, 'message')) as [number];
    const after = cellTime(performance.now());
    expect(msBetween(before, there)).toBeGreaterThanOrEqual(LEAST_MS);
    expect(msBetween(there, after)).toBeGreaterThanOrEqual(LEAST_MS);
    await worker.terminate();
  }
});

it('times are told apart where the count wraps', () => {
  const last = 2 ** 31 - 1;
  expect(msBetween(last, (last + 2000) | 0)).toBe(2);
  expect(msBetween((last + 2000) | 0, last)).toBe(-2);
});
