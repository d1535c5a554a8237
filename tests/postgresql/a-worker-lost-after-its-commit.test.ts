/** The server has committed, and the worker dies before it hears of it: the next one finds that out. */
import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { SDS_DesktopPersistenceProvider, transfer } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { patchOf } from '../support/files.ts';
import { describeOnPostgresql, postgresql, proxiedPlace, server } from '../support/postgresql.ts';
import { codeOf } from './outcomes.ts';

type Provider = SDS_DesktopPersistenceProvider;

const workers = new Set<Worker>();
process.on('worker', (worker: Worker) => {
  workers.add(worker);
  worker.once('exit', () => workers.delete(worker));
});

function handedOver(length: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(5);
  return transfer(bytes, [bytes.buffer]);
}

const writes: Record<string, (provider: Provider) => Promise<unknown>> = {
  'patches and a value': (provider) =>
    Promise.all([provider.appendPatch(patchOf(1), 1), provider.saveValue('value', patchOf('value'))]),
  'a large value': (provider) => provider.saveValue('value', new Uint8Array(1_000_000).fill(5)),
  'a large value that was handed over': (provider) => provider.saveValue('value', handedOver(1_000_000)),
  'a large snapshot that was handed over': (provider) => provider.saveSnapshot(handedOver(1_000_000), 1),
};

describeOnPostgresql('a worker that is lost after its commit', () => {
  it.each(Object.entries(writes))('%s: what is told is what is stored, once', async (_, write) => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = new SDS_DesktopPersistenceProvider(url, 'store');
    onTestFinished(() => provider.close());
    await provider.appendPatch(patchOf(0), 0);
    const lost = proxy.loseAnswerTo({ COMMIT: 'COMMIT' }, false);
    const outcome = Promise.allSettled([write(provider)]);
    await lost;
    await Promise.all([...workers].map((worker) => Promise.all([once(worker, 'exit'), worker.terminate()])));
    const [code] = (await outcome).map(codeOf);
    const { patches, snapshots, blobs } = await postgresql.rowsOf(server.url(database));
    const stored = patches.length - 1 + snapshots.length + blobs.length;
    expect({ code, stored: stored > 0 }).toEqual({ code, stored: code === 'carried out' });
    expect(blobs.map(({ ref_count }) => ref_count)).toEqual(blobs.map(() => 1));
  });
});
