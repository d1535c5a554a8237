/** The server has committed, and the worker dies before it hears of it: the next one finds that out, unless bytes are gone. */
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

async function endWorkers(): Promise<void> {
  await Promise.all([...workers].map((worker) => Promise.all([once(worker, 'exit'), worker.terminate()])));
}

function handedOver(length: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(5);
  return transfer(bytes, [bytes.buffer]);
}

const writes: Record<string, (provider: Provider) => Promise<unknown>> = {
  'patches and a value': (provider) =>
    Promise.all([provider.appendPatch(patchOf(1), 1), provider.saveValue('value', patchOf('value'))]),
  'a large value': (provider) => provider.saveValue('value', new Uint8Array(1_000_000).fill(5)),
};

const writesOfGivenBytes: typeof writes = {
  'a large patch': (provider) => provider.appendPatch(handedOver(1_000_000), 1),
  'a large value': (provider) => provider.saveValue('value', handedOver(1_000_000)),
  'a large snapshot': (provider) => provider.saveSnapshot(handedOver(1_000_000), 1),
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
    await endWorkers();
    const [code] = (await outcome).map(codeOf);
    const { patches, snapshots, blobs } = await postgresql.rowsOf(server.url(database));
    const stored = patches.length - 1 + snapshots.length + blobs.length;
    expect({ code, stored: stored > 0 }).toEqual({ code, stored: code === 'carried out' });
    expect(blobs.map(({ ref_count }) => ref_count)).toEqual(blobs.map(() => 1));
  });

  it('and what was called meanwhile: each is carried out once, although the next worker finds them together', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', { Acknowledge: 'committed' });
    onTestFinished(() => provider.close());
    await provider.ready();
    const lost = proxy.loseAnswerTo({ COMMIT: 'COMMIT' }, false);
    const calls = [provider.saveValue('first', patchOf('value'))];
    await lost;
    calls.push(provider.saveValue('second', patchOf('value')));
    await endWorkers();
    await Promise.all(calls);
    const { blobs } = await postgresql.rowsOf(server.url(database));
    expect(blobs.map(({ hash, ref_count }) => [hash, ref_count])).toEqual([
      ['first', 1],
      ['second', 1],
    ]);
  });

  it('a deletion, and patches before and behind it: the next one tells of each that is lost', async () => {
    const { proxy, url } = await proxiedPlace();
    const options = { OnClockCollision: 'ignore', Acknowledge: 'committed' } as const;
    const [pruned, other] = ['pruned', 'other'].map((store) => {
      const provider = new SDS_DesktopPersistenceProvider(url, store, options);
      onTestFinished(() => provider.close());
      return provider;
    }) as [Provider, Provider];
    await Promise.all([pruned.appendPatch(patchOf('first'), 20), other.appendPatch(patchOf('first'), 1)]);
    const lost = proxy.loseAnswerTo({ COMMIT: 'COMMIT' }, false);
    const append = (bytes: Uint8Array) => [pruned.appendPatch(bytes, 20), other.appendPatch(bytes, 1)];
    const calls = [...append(patchOf('second')), pruned.prunePatches(10), ...append(patchOf('third'))];
    await lost;
    await endWorkers();
    await Promise.all(calls);
    expect([pruned.ClockCollisions, other.ClockCollisions]).toEqual([2, 2]);
  });

  it.each(Object.entries(writesOfGivenBytes))('%s that was handed over: it may be stored or not', async (_, write) => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', { Acknowledge: 'committed' });
    onTestFinished(() => provider.close());
    await provider.ready();
    const lost = proxy.loseAnswerTo({ COMMIT: 'COMMIT' }, false);
    const outcome = write(provider).catch((error: unknown) => error);
    await lost;
    await endWorkers();
    expect(await outcome).toMatchObject({
      code: 'worker-lost',
      message: expect.stringMatching(/went down with the worker thread; the call may be stored or not/),
    });
    const { patches, snapshots, blobs } = await postgresql.rowsOf(server.url(database));
    expect(patches.length + snapshots.length + blobs.length).toBe(1);
  });

  it('a compaction: it does not count as carried out, whatever the store has now', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = new SDS_DesktopPersistenceProvider(url, 'store');
    onTestFinished(() => provider.close());
    await provider.ready();
    const lost = proxy.loseAnswerTo({ COMMIT: 'COMMIT' }, false);
    const nothing = { SnapshotClock: undefined, Patches: [], LastClock: 0 };
    const isCompacted = provider.compactStore(patchOf('snapshot'), nothing);
    await lost;
    await endWorkers();
    expect(await isCompacted).toBe(false);
    expect((await postgresql.rowsOf(server.url(database))).snapshots).toHaveLength(1);
  });

  it('of a batch that is carried out call by call: what has failed stays failed', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', {
      Acknowledge: 'committed',
      BusyTimeoutMs: 50_000,
    });
    onTestFinished(() => provider.close());
    await provider.ready();
    await server.query("ALTER TABLE sds_values ADD CHECK (hash <> 'a refused one')", undefined, database);
    // keeps the last call from being committed until it is allowed to
    const client = await server.connect(database);
    await client.query('BEGIN');
    await client.query(
      "INSERT INTO sds_values (hash, ref_count, version, size, data) VALUES ('z last', 1, '', 1, '\\x07')",
    );
    const outcomes = Promise.allSettled([
      provider.appendPatch(patchOf(1), 1),
      provider.saveValue('a refused one', patchOf('value')),
      provider.saveValue('z last', new Uint8Array([7])),
    ]);
    const waits = `SELECT FROM pg_stat_activity WHERE datname = '${database}' AND wait_event_type = 'Lock'`;
    while ((await server.query(waits)).length === 0);
    proxy.pause(); // the answer does not come through
    await client.query('COMMIT');
    await client.end();
    while ((await server.query('SELECT FROM sds_values WHERE ref_count = 2', undefined, database)).length === 0);
    await endWorkers();
    proxy.resume();
    expect((await outcomes).map(codeOf)).toEqual(['carried out', 'io-error', 'carried out']);
    const { patches, blobs } = await postgresql.rowsOf(server.url(database));
    expect(patches.map(({ clock }) => clock)).toEqual([1]);
    expect(blobs.map(({ hash, ref_count }) => [hash, ref_count])).toEqual([['z last', 2]]);
  });
});
