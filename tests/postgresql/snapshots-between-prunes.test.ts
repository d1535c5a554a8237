/** Patches, snapshots and prunes in turn, as of an engine that compacts often: they go together, and lock in one order. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { patchOf } from '../support/files.ts';
import { describeOnPostgresql, ownPlace, server } from '../support/postgresql.ts';
import { databaseOf } from '../support/postgresql-engine.ts';

async function opened() {
  const url = await ownPlace();
  const provider = new SDS_DesktopPersistenceProvider(url, 'store', { Acknowledge: 'committed', Ownership: 'shared' });
  onTestFinished(() => provider.close());
  await provider.ready();
  return { provider, database: databaseOf(url) };
}

describeOnPostgresql('patches, snapshots and prunes in turn', () => {
  it('of the snapshots of one transaction only the last one is written', async () => {
    const { provider, database } = await opened();
    await server.query(
      `CREATE TABLE written (transaction text);
      CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
        'BEGIN INSERT INTO written VALUES (txid_current()::text); RETURN NULL; END';
      CREATE TRIGGER note AFTER INSERT OR UPDATE ON sds_snapshots FOR EACH ROW EXECUTE FUNCTION note()`,
      [],
      database,
    );
    const calls = Array.from({ length: 100 }, (_, i) => [
      provider.appendPatch(patchOf(i), i),
      provider.saveSnapshot(patchOf(i), i),
      provider.prunePatches(i),
    ]);
    await Promise.all(calls.flat());
    const [written] = await server.query<{ snapshots: number; transactions: number }>(
      'SELECT count(*)::int AS snapshots, count(DISTINCT transaction)::int AS transactions FROM written',
      [],
      database,
    );
    expect(written?.snapshots).toBe(written?.transactions);
    expect(await provider.loadSnapshot()).toEqual(patchOf(99));
    expect(await provider.loadPatchesSince(-1)).toEqual([patchOf(99)]);
  });

  it('a prune behind a snapshot, and behind another prune, locks rows of patches before that of the snapshot as well', async () => {
    const { provider, database } = await opened();
    await Promise.all([provider.appendPatch(patchOf(1), 1), provider.saveSnapshot(patchOf(1), 1)]);
    const client = await server.connect(database);
    onTestFinished(() => client.end());
    await client.query('BEGIN; SELECT FROM sds_patches FOR UPDATE');
    const calls = [
      provider.appendPatch(patchOf(2), 2),
      provider.saveSnapshot(patchOf(2), 2),
      provider.prunePatches(1),
      provider.appendPatch(patchOf(3), 3),
      provider.prunePatches(2),
    ];
    await expect.poll(() => server.waitingForLock(database)).toHaveLength(1);
    // as another process does, behind its patches
    await client.query('SELECT FROM sds_snapshots FOR UPDATE NOWAIT');
    await client.query('COMMIT');
    await Promise.all(calls);
    expect(await provider.loadPatchesSince(0)).toEqual([2, 3].map(patchOf));
  });
});
