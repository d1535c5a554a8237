/** Delays of an event loop beside a thread that works now and then and has nothing to do with it. */
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Work } from '../work/work.ts';

/** Computes for so long each millisecond, and now and then for longer; stores nothing, sends nothing. */
const busy = `
  const { parentPort, workerData } = require('node:worker_threads');
  const cell = new Int32Array(new SharedArrayBuffer(4));
  parentPort.postMessage('online');
  for (let round = 0; ; round++) {
    const until = performance.now() + (round % workerData.every === 0 ? workerData.longMs : workerData.shortMs);
    while (performance.now() < until);
    Atomics.wait(cell, 0, 0, 1);
  }`;

/** `ownMs`: what this thread itself computes each millisecond. */
export const delays: Work = async ({ sizes }) => {
  const { seconds = 1, ownMs = 0, shortMs = 0, longMs = 0, every = 200 } = sizes;
  const worker = longMs > 0 ? new Worker(busy, { eval: true, workerData: { shortMs, longMs, every } }) : undefined;
  if (worker !== undefined) await once(worker, 'message');
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    const until = performance.now() + ownMs;
    while (performance.now() < until);
    await pause(1);
  }
  histogram.disable();
  await worker?.terminate();
  return {
    p50Ms: histogram.percentile(50) / 1e6,
    p999Ms: histogram.percentile(99.9) / 1e6,
    maxMs: histogram.max / 1e6,
  };
};
