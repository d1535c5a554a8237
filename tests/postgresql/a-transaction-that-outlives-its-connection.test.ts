/** A connection is cut while its transaction waits for a lock: the server goes on with it once the lock is free, and so does the program. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { patchOf } from '../support/files.ts';
import { describeOnPostgresql, postgresql, proxiedPlace, server } from '../support/postgresql.ts';

describeOnPostgresql('a transaction that outlives its connection', () => {
  it('is carried out once', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', {
      Acknowledge: 'committed',
      BusyTimeoutMs: 30_000,
    });
    onTestFinished(() => provider.close());
    await provider.saveValue('value', patchOf('value'));
    const other = await server.connect(database);
    onTestFinished(() => other.end());
    const waiting = () => server.waitingForLock(database);

    await other.query('BEGIN; SELECT FROM sds_values FOR UPDATE');
    const calls = [
      provider.saveValue('value', patchOf('value')),
      provider.saveValue('other value', patchOf('other')),
      provider.appendPatch(patchOf(1), 1),
    ];
    await expect.poll(async () => (await waiting()).length).toBe(1);
    const backend = await waiting();
    proxy.cutNow();
    // it has come back, and waits for the lock or for its own transaction
    await expect.poll(async () => (await waiting()).length).toBeGreaterThan(1);
    expect(await waiting()).toEqual(expect.arrayContaining(backend));
    await other.query('ROLLBACK');
    await Promise.all(calls);
    const { blobs, patches } = await postgresql.rowsOf(server.url(database));
    expect(blobs.map(({ hash, ref_count }) => [hash, ref_count])).toEqual([
      ['other value', 1],
      ['value', 2],
    ]);
    expect(patches).toHaveLength(1);
  });
});
