/**
 * Workers that die at once, again and again: they are given up after a few tries, every promise
 * settles, and a new provider works as soon as the dying ends.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Worker } from 'node:worker_threads';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { livingWorkers } from './living-workers.ts';
import { codeOf, type RigContext, withFolder, within } from './rig.ts';

/** "A few tries" may be what it likes, but not this. */
const MOST_TRIES = 12;

type Death = (worker: Worker) => void;

const deaths: Record<string, Death> = {
  'before its code runs': (worker) => void worker.terminate(),
  'once its code runs': (worker) => worker.once('online', () => void worker.terminate()),
  'after its first answer': (worker) => worker.once('message', () => void setTimeout(() => void worker.terminate(), 3)),
};

export async function survivesRepeatedDeath({ report }: RigContext): Promise<void> {
  await withFolder(async (folder) => {
    for (const [when, death] of Object.entries(deaths)) {
      const dbPath = join(folder, `${when.replaceAll(' ', '-')}.db`);
      // the batch can't be finished while another connection holds the lock, so that every start is in vain
      const first = new SDS_DesktopPersistenceProvider(dbPath, 'store');
      await first.appendPatch(new Uint8Array([1]), 1);
      await first.close();
      const lock = new DatabaseSync(dbPath);
      lock.exec('BEGIN IMMEDIATE');
      let tries = 0;
      let dying = true;
      const onWorker = (worker: Worker) => {
        if (!dying) return;
        tries++;
        if (tries > MOST_TRIES) {
          dying = false; // the violation is plain, let it end
          lock.exec('ROLLBACK');
          return;
        }
        death(worker);
      };
      process.on('worker', onWorker);
      try {
        const provider = new SDS_DesktopPersistenceProvider(dbPath, 'store', { BusyTimeoutMs: 60_000 });
        const results = Promise.allSettled([provider.appendPatch(new Uint8Array([2]), 2), provider.loadSnapshot()]);
        // those that run already, then each of their successors
        for (const worker of livingWorkers) void worker.terminate();
        for (const result of await within(30_000, `a worker that dies ${when}`, results)) {
          const code = result.status === 'rejected' ? codeOf(result.reason) : 'carried out';
          report.count(`worker dies again and again: ${code}`);
          if (code !== 'worker-lost') report.violation(`a worker that dies ${when}, again and again: ${code}`);
        }
        if (tries > MOST_TRIES)
          report.violation(`a worker that dies ${when} was started more than ${MOST_TRIES} times`);
        dying = false;
        if (lock.isTransaction) lock.exec('ROLLBACK');
        await within(10_000, 'closing a lost provider', provider.close());
        const next = new SDS_DesktopPersistenceProvider(dbPath, 'store');
        await within(20_000, 'a new provider after a loss', next.appendPatch(new Uint8Array([3]), 3));
        const { length } = await next.loadPatchesSince(0);
        if (length !== 2) report.violation(`after workers that die ${when}: ${length} patches instead of 2`);
        await next.close();
      } catch (error) {
        report.violation(String(error));
      } finally {
        process.off('worker', onWorker);
        lock.close();
      }
    }
  });
}
