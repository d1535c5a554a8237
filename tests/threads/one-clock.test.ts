/** What a thread notes as the time of a batch, another one reads as the same time, whenever either was started. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { cellTime, msSince } from '../../src/protocol/clock.ts';

const clock = new URL('../../src/protocol/clock.ts', import.meta.url).href;
const telling = `
  const { parentPort } = require('node:worker_threads');
  import(${JSON.stringify(clock)}).then(({ cellTime }) => {
    parentPort.on('message', () => parentPort.postMessage(cellTime(performance.now())));
    parentPort.postMessage('online');
  });`;

/** What two clocks are read apart, in microseconds. */
const LEAST = -250;

it('threads agree on the time', async () => {
  for (let thread = 0; thread < 5; thread++) {
    const worker = new Worker(telling, { eval: true });
    await once(worker, 'message');
    const before = cellTime(performance.now());
    worker.postMessage('tell');
    const [there] = (await once(worker, 'message')) as [number];
    const after = cellTime(performance.now());
    expect((there - before) | 0).toBeGreaterThanOrEqual(LEAST);
    expect((after - there) | 0).toBeGreaterThanOrEqual(LEAST);
    await worker.terminate();
  }
});

it.each([0, 2 ** 31 - 1, -1])('how long ago a time was is told also where the count wraps (%i)', (at) => {
  const after = (ms: number) => (at + ms * 1000) | 0;
  expect(msSince(at, after(2))).toBe(2);
  // of a thread whose clock is read a little ahead
  expect(msSince(at, after(-2))).toBe(0);
});

it.each([30, 40, 70])('what was before the machine slept for %i minutes was so long ago', (minutes) => {
  const slept = minutes * 60_000;
  const at = cellTime(0);
  expect(msSince(at, (at + slept * 1000) | 0)).toBe(slept);
});
