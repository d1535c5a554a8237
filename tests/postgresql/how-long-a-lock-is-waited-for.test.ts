/** Locks of other programs are waited for as long as the providers want that are open, and no longer. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { patchOf } from '../support/files.ts';
import { describeOnPostgresql, postgresql, server } from '../support/postgresql.ts';
import { databaseOf } from '../support/postgresql-engine.ts';

function open(url: string, store: string, BusyTimeoutMs: number): SDS_DesktopPersistenceProvider {
  const provider = new SDS_DesktopPersistenceProvider(url, store, { Acknowledge: 'committed', BusyTimeoutMs });
  onTestFinished(() => provider.close());
  return provider;
}

describeOnPostgresql('a lock', () => {
  it('is not waited for as long as a provider wanted that is closed', async () => {
    const url = await postgresql.freshPlace();
    const hasty = open(url, 'store', 100);
    await hasty.saveSnapshot(patchOf(1), 1);
    const patient = open(url, 'other', 600_000);
    await patient.saveSnapshot(patchOf(1), 1);
    await patient.close();
    const other = await server.connect(databaseOf(url));
    onTestFinished(() => other.end());
    await other.query('BEGIN');
    await other.query('SELECT 1 FROM sds_snapshots FOR UPDATE');
    await expect(hasty.saveSnapshot(patchOf(2), 2)).rejects.toMatchObject({ code: 'database-busy' });
    await other.query('ROLLBACK');
    await hasty.saveSnapshot(patchOf(3), 3);
  });
});
