/**
 * What awaited calls are compared with: a worker that does nothing but commit each patch by itself, by raw
 * messages there and back. It has no file checks, no queue, no errors, and takes no checkpoints.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { insertPatch, schema, withoutCheckpoints } from '../drivers/schema.ts';

const committing = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { DatabaseSync } = require('node:sqlite');
  const database = new DatabaseSync(workerData.file);
  for (const sql of workerData.begin) database.exec(sql);
  const insert = database.prepare(workerData.insert);
  parentPort.on('message', ({ clock, patch }) => {
    insert.run('store', clock, patch);
    parentPort.postMessage(clock);
  });
  parentPort.postMessage(0);`;

export interface BareWorker {
  /** Resolves after the commit; one call at a time. */
  appendPatch(patch: Uint8Array, clock: number): Promise<void>;
  close(): Promise<unknown>;
}

export async function startBareWorker(folder: string): Promise<BareWorker> {
  const file = join(folder, 'bare.db');
  const worker = new Worker(committing, {
    eval: true,
    workerData: { file, begin: [withoutCheckpoints, schema], insert: insertPatch },
  });
  await once(worker, 'message');
  let answered: () => void = () => {};
  worker.on('message', () => answered());
  return {
    appendPatch: (patch, clock) =>
      new Promise<void>((resolve) => {
        answered = resolve;
        worker.postMessage({ clock, patch });
      }),
    close: () => worker.terminate(),
  };
}
