/**
 * Which worker serves which file: two, so that a huge write does not hold up all files, and up to four where there are cores:
 * more writers make no disk faster, and each costs some 18 MB. SDS_PERSISTENCE_WORKERS says otherwise.
 */
import { availableParallelism } from 'node:os';
import type { Location } from '../../protocol/service.ts';
import { later, performance } from '../../protocol/surroundings.ts';
import type { FileQueue } from '../queue/file-queue.ts';
import { guardExit } from './exit-guard.ts';
import { type Pool, ReplaceableWorker } from './replaceable-worker.ts';
import type { EngineKind } from './worker-thread.ts';

/** A thread without files ends after so long: starting one takes some 30 ms. */
const QUIET_MS = 3000;
/** Where another thread was not to be had, it is not asked for again for so long. */
const NO_ROOM_FOR_MS = 10_000;

const workers: ReplaceableWorker[] = [];
let nextThreadAt = 0;
/** By what is the same for all names of a file; providers on the same file share a queue, and with it the worker. */
const openFiles = new Map<string, OpenFile>();

export interface OpenFile {
  queue: FileQueue;
  worker: ReplaceableWorker;
}

function poolSize(): number {
  // what is not acceptable is refused with the other variables
  const wanted = Number(process.env.SDS_PERSISTENCE_WORKERS);
  if (wanted > 0) return wanted;
  return Math.min(Math.max(availableParallelism() - 1, 2), 4);
}

/** A file: as it is open already, or opened on the worker with the fewest files. */
export function openFile(location: Location, maxPendingBytes: number): OpenFile {
  const { key, server } = location;
  const before = key === undefined ? undefined : openFiles.get(key);
  if (before !== undefined) return before;
  const worker = workerForNewFile(server === undefined ? 'sqlite' : 'postgresql', maxPendingBytes);
  if (!workers.includes(worker)) workers.push(worker);
  const file = { queue: worker.openFile(location), worker };
  if (key !== undefined) openFiles.set(key, file);
  guardExit(workers); // not before: listeners for new listeners may open the file as well
  return file;
}

export function releaseFile({ queue, worker }: OpenFile): void {
  if (queue.members.size > 0) return; // there is another provider on the file
  const { key } = queue.location;
  if (key !== undefined && openFiles.get(key)?.queue === queue) openFiles.delete(key);
  worker.closeFile(queue);
  if (worker.fileCount === 0) endLater(worker);
}

/** By worker, what calls its end off. */
const ends = new WeakMap<ReplaceableWorker, () => void>();

function endLater(worker: ReplaceableWorker): void {
  ends.get(worker)?.();
  const end = () => {
    const at = workers.indexOf(worker);
    if (at < 0 || worker.fileCount > 0) return; // a file that was given up may be closed after its worker has ended
    if (worker.hasGuests) return endLater(worker);
    workers.splice(at, 1);
    guardExit(workers);
    worker.end();
  };
  if (worker.hasThread) ends.set(worker, later(end, QUIET_MS));
  else end(); // there is nothing to keep: whoever comes next may ask for a thread at once
}

/** A worker is started for a new file as long as each thread for its kind serves one, and there is room for another thread. */
function workerForNewFile(kind: EngineKind, maxPendingBytes: number): ReplaceableWorker {
  const ofKind = workers.filter((worker) => worker.kind === kind);
  const [best] = ofKind.sort((a, b) => a.fileCount - b.fileCount);
  if (best === undefined) return new ReplaceableWorker(kind, maxPendingBytes, pool);
  const isFree = best.fileCount === 0 && best.hasOwnThread && !best.hasGuests;
  if (isFree || ofKind.length >= poolSize() || performance.now() < nextThreadAt) return best;
  try {
    const another = new ReplaceableWorker(kind, maxPendingBytes, pool);
    if (another.hasThread) return another;
  } catch {
    // no memory for another one: those that there are serve this file too
  }
  nextThreadAt = performance.now() + NO_ROOM_FOR_MS;
  return best;
}

const pool: Pool = {
  hostFor(guest) {
    // a copy: one that has neither a thread nor files any more is taken out
    for (const worker of [...workers]) {
      const thread = worker !== guest && worker.kind === guest.kind ? worker.ownThread : undefined;
      if (thread !== undefined) return thread;
    }
    return undefined;
  },

  forget(given) {
    for (const [key, { queue }] of openFiles) if (queue === given) openFiles.delete(key);
  },
};
