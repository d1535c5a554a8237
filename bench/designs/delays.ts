/** Delays of an event loop beside a thread that works now and then and has nothing to do with it. */
import { once } from 'node:events';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Work } from '../work/work.ts';

/** Computes for so long, or writes so much, each millisecond, and now and then more; sends nothing. */
const busy = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { openSync, readlinkSync, writeSync } = require('node:fs');
  const { shortMs, longMs, shortBytes, longBytes, every, nice, file } = workerData;
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const bytes = new Uint8Array(longBytes).fill(1);
  const out = longBytes > 0 ? openSync(file, 'w') : -1;
  if (nice > 0) require('node:os').setPriority(Number(/[0-9]+$/.exec(readlinkSync('/proc/thread-self'))[0]), nice);
  parentPort.postMessage('online');
  for (let round = 0; ; round++) {
    const long = round % every === 0;
    const until = performance.now() + (long ? longMs : shortMs);
    while (performance.now() < until);
    // over what is there, page by page, as a log is written
    const most = long ? longBytes : shortBytes;
    for (let at = 0; at < most; at += 4096) writeSync(out, bytes, at, 4096, at);
    Atomics.wait(cell, 0, 0, 1);
  }`;

/** `ownMs`: what this thread itself computes each millisecond; `nice` lowers the other's priority (Linux). */
export const delays: Work = async ({ folder, sizes }) => {
  const { seconds = 1, ownMs = 0, shortMs = 0, longMs = 0, shortBytes = 0, longBytes = 0, nice = 0 } = sizes;
  const file = join(folder, 'written');
  const workerData = { shortMs, longMs, shortBytes, longBytes, every: 200, nice, file };
  const worker = longMs > 0 || longBytes > 0 ? new Worker(busy, { eval: true, workerData }) : undefined;
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
