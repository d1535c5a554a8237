/** Ways to hand a large buffer to a worker: for how long is the thread busy that hands it over? */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { transfer, wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { median, randomBytes } from '../measure.ts';
import type { Work } from '../work/work.ts';

const MESSAGE = 0;

const echo =
  "const { parentPort } = require('node:worker_threads'); parentPort.on('message', ({ id }) => parentPort.postMessage({ id }))";

interface Taker {
  take(buffer: ArrayBuffer): Promise<unknown>;
}

/** `way`: 0 sends it as a message, 1 as a Comlink call. */
export const handOver: Work = async ({ sizes }) => {
  const { bytes = 1024, samples = 3, way = MESSAGE, warm = 0 } = sizes;
  const worker = new Worker(echo, { eval: true });
  await once(worker, 'online');
  const { take } = wrap<Taker>(nodeEndpoint(worker)); // the echo of its call's number is an answer to Comlink
  const send = (data: Uint8Array<ArrayBuffer>): Promise<unknown> => {
    const buffer = data.buffer.transfer();
    if (way !== MESSAGE) return take(transfer(buffer, [buffer]));
    worker.postMessage({ id: 'message', buffer }, [buffer]);
    return once(worker, 'message');
  };
  const kept = randomBytes(bytes);
  const blocked: number[] = [];
  for (let i = 0; i < warm; i++) await send(new Uint8Array(1024));
  for (let sample = 0; sample <= samples; sample++) {
    const data = kept.slice();
    const start = performance.now();
    const sent = send(data);
    blocked.push(performance.now() - start);
    await sent;
  }
  await worker.terminate();
  return { blockedUs: median(blocked.slice(1)) * 1000 };
};
