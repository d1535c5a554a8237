/** From construction to the first answer, once a process: for a provider, and for an empty worker. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Work } from './work.ts';

const answering = "require('node:worker_threads').parentPort.postMessage(0)";

export const start: Work = async ({ driver, folder }) => {
  const begin = performance.now();
  const database = await driver.open(folder);
  await database.store('store').loadSnapshot();
  const firstAnswerMs = performance.now() - begin;
  await database.close();
  return { firstAnswerMs };
};

/** The least that any worker costs: one that only says that it is there. */
export const emptyWorker: Work = async () => {
  const begin = performance.now();
  const worker = new Worker(answering, { eval: true });
  await once(worker, 'message');
  const firstAnswerMs = performance.now() - begin;
  await worker.terminate();
  return { firstAnswerMs };
};
