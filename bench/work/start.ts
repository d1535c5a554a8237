/** From the import to the first append that is acknowledged, once a process; and the same for an empty worker. */
import { runFresh } from './fresh-process.ts';
import type { Task, Work } from './work.ts';

const starting =
  (who: string) =>
  ({ folder }: Task) =>
    runFresh('start', who, folder);

export const start: Work = starting('provider');
export const startReference: Work = starting('reference');
/** The least that any worker costs that opens a file. */
export const startEmptyWorker: Work = starting('empty-worker');
