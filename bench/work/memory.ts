/** What a process keeps in memory: idle with some files, and after a burst and a while of quiet. */
import { withChangedBuild } from '../changed-build.ts';
import { changesWithout } from '../drivers/mechanisms.ts';
import { runFresh } from './fresh-process.ts';
import type { Task, Work } from './work.ts';

const keeping =
  (who: string) =>
  ({ folder, sizes: { files = 1, burst = 0 } }: Task) =>
    runFresh('memory', who, folder, `${files}`, `${burst}`);

export const memory: Work = keeping('provider');
export const memoryReference: Work = keeping('reference');
/** The least that any worker keeps that has a file open. */
export const memoryEmptyWorker: Work = keeping('empty-worker');

const without =
  (name: string): Work =>
  (task) =>
    withChangedBuild(changesWithout(name), (file) => keeping(file)(task));

export const memoryWithoutArenaExchange: Work = without('without-arena-exchange');
export const memoryWithoutYoungBound: Work = without('without-young-bound');
