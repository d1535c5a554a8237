/** The worker threads of this process; Node tells of each as it starts. Import this before the first provider. */
import type { Worker } from 'node:worker_threads';

export const livingWorkers = new Set<Worker>();
/**
 * Those whose `online` event was heard. A blocked thread can't see another one die (Node tells
 * nothing of its event loop before that), so only these are terminated where a call blocks.
 */
export const onlineWorkers = new Set<Worker>();

process.on('worker', (worker: Worker) => {
  livingWorkers.add(worker);
  worker.once('online', () => onlineWorkers.add(worker));
  worker.once('exit', () => {
    livingWorkers.delete(worker);
    onlineWorkers.delete(worker);
  });
});
