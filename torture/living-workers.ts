/** The worker threads of this process; Node tells of each as it starts. Import this before the first provider. */
import type { Worker } from 'node:worker_threads';

export const livingWorkers = new Set<Worker>();
const onlineWorkers = new Set<Worker>();
/**
 * Those that may be terminated where a call blocks. Where the system lists no threads, a blocked one does not see another
 * one die whose `online` event was not heard (Node tells nothing of its event loop before that): it waits for 30 s.
 */
export const noticedWorkers = process.platform === 'linux' ? livingWorkers : onlineWorkers;

process.on('worker', (worker: Worker) => {
  livingWorkers.add(worker);
  worker.once('online', () => onlineWorkers.add(worker));
  worker.once('exit', () => {
    livingWorkers.delete(worker);
    onlineWorkers.delete(worker);
  });
});
