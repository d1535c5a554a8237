/** A large snapshot is acknowledged before the bytes of the one before it are deleted; they do not stay for all that. */
import { copyStores, SDS_DesktopPersistenceProvider, type SDS_ProviderOptions } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { CHUNK_BYTES } from '../../src/worker/postgresql/chunks.ts';
import { freshFile } from '../support/files.ts';
import { describeOnPostgresql, ownPlace, postgresql, server } from '../support/postgresql.ts';
import { databaseOf } from '../support/postgresql-engine.ts';
import { sqlOfTables } from './outcomes.ts';

const SIZE = 1_000_000;

function open(url: string, options: SDS_ProviderOptions = {}): SDS_DesktopPersistenceProvider {
  const provider = new SDS_DesktopPersistenceProvider(url, 'store', { Acknowledge: 'committed', ...options });
  onTestFinished(() => provider.close());
  return provider;
}

const snapshotOf = (byte: number) => new Uint8Array(SIZE).fill(byte);

/** Of all chunks of a snapshot or a value together, longer than the server allows. */
const SLOW_DELETIONS = `
  CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pg_sleep(0.01);
      RETURN OLD;
    END $$;
  CREATE TRIGGER slow BEFORE DELETE ON sds_snapshot_chunks FOR EACH ROW EXECUTE FUNCTION take_time();
  CREATE TRIGGER slow BEFORE DELETE ON sds_value_chunks FOR EACH ROW EXECUTE FUNCTION take_time();`;

const veryLarge = (byte: number) => new Uint8Array(160 * CHUNK_BYTES).fill(byte);

/** A database whose server allows no statement that deletes all of what is very large. */
async function impatientPlace(): Promise<string> {
  const url = await ownPlace();
  const database = databaseOf(url);
  await sqlOfTables(url);
  await server.query(SLOW_DELETIONS, [], database);
  await server.query(`ALTER DATABASE ${database} SET statement_timeout = 1000`);
  return url;
}

/** How many versions of a snapshot have rows there. */
async function versionsIn(url: string): Promise<number> {
  const sql = 'SELECT count(DISTINCT version)::int AS count FROM sds_snapshot_chunks';
  const [row] = await server.query<{ count: number }>(sql, undefined, databaseOf(url));
  return row?.count ?? 0;
}

describeOnPostgresql('the snapshot before', () => {
  it('is gone once the provider is closed', async () => {
    const url = await postgresql.freshPlace();
    const provider = open(url);
    for (let clock = 1; clock <= 4; clock++) await provider.saveSnapshot(snapshotOf(clock), clock);
    await provider.close();
    expect(await versionsIn(url)).toBe(1);
    expect(await postgresql.rowsOf(url)).toMatchObject({ snapshots: [{ clock: 4 }] });
  });

  it('is gone with a small one, too', async () => {
    const url = await postgresql.freshPlace();
    const provider = open(url);
    await provider.saveSnapshot(snapshotOf(1), 1);
    await provider.saveSnapshot(new Uint8Array(10), 2);
    expect(await versionsIn(url)).toBe(0);
  });

  it('is gone with a compaction, large or small', async () => {
    const url = await postgresql.freshPlace();
    const provider = open(url);
    await provider.saveSnapshot(snapshotOf(1), 1);
    expect(await provider.compactStore(snapshotOf(2), await provider.loadStore())).toBe(true);
    expect(await provider.loadSnapshot()).toEqual(snapshotOf(2)); // behind the deletion
    expect(await versionsIn(url)).toBe(1);
    expect(await provider.compactStore(new Uint8Array(10), await provider.loadStore())).toBe(true);
    expect(await versionsIn(url)).toBe(0);
  });

  it('stays, and nothing else does, if a large compaction is not carried out', async () => {
    const url = await postgresql.freshPlace();
    const provider = open(url);
    await provider.saveSnapshot(snapshotOf(1), 1);
    const seen = await provider.loadStore();
    await provider.appendPatch(new Uint8Array(10), 1);
    expect(await provider.compactStore(snapshotOf(2), seen)).toBe(false);
    expect(await provider.loadSnapshot()).toEqual(snapshotOf(1));
    expect(await versionsIn(url)).toBe(1);
  });

  it('keeps no caller waiting: if it can not be deleted now, it is with the next one', async () => {
    const url = await postgresql.freshPlace();
    const provider = open(url, { BusyTimeoutMs: 300 });
    await provider.saveSnapshot(snapshotOf(1), 1);
    const connections =
      "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND application_name = 'sds-persistence-worker'";
    const [before] = await server.query(connections, [databaseOf(url)]);
    const other = await server.connect(databaseOf(url));
    await other.query('BEGIN');
    await other.query('SELECT 1 FROM sds_snapshot_chunks FOR UPDATE');
    await provider.saveSnapshot(snapshotOf(2), 2);
    expect(await provider.loadSnapshot()).toEqual(snapshotOf(2)); // behind the deletion, which was given up
    expect(await versionsIn(url)).toBe(2);
    expect(await server.query(connections, [databaseOf(url)])).toContainEqual(before); // nor does it cost a connection
    // a third would lie there as well: so that is refused
    await expect(provider.saveSnapshot(snapshotOf(3), 3)).rejects.toMatchObject({ code: 'database-busy' });
    await other.query('COMMIT');
    await other.end();
    await provider.saveSnapshot(snapshotOf(4), 4);
    await provider.close();
    expect(await versionsIn(url)).toBe(1);
  });

  it('goes where the server allows no statement that takes as long', async () => {
    const url = await impatientPlace();
    const provider = open(url);
    for (let clock = 1; clock <= 4; clock++) await provider.saveSnapshot(veryLarge(clock), clock);
    await provider.loadSnapshot(); // behind the deletion
    expect(await versionsIn(url)).toBe(1);
  });

  const replacements: [string, (provider: SDS_DesktopPersistenceProvider) => Promise<unknown>][] = [
    ['a small one', (provider) => provider.saveSnapshot(new Uint8Array(10), 2)],
    ['a compaction', async (provider) => provider.compactStore(new Uint8Array(10), await provider.loadStore())],
    ['the removal of its store', (provider) => provider.removeStore()],
  ];
  it.each(replacements)('goes there with %s, too', async (_, replace) => {
    const url = await impatientPlace();
    const provider = open(url);
    await provider.saveSnapshot(veryLarge(1), 1);
    await replace(provider);
    await provider.loadSnapshot(); // behind the deletion
    expect(await versionsIn(url)).toBe(0);
  });

  it('goes there where a copy of stores takes its place', async () => {
    const source = freshFile();
    await open(source).saveSnapshot(new Uint8Array(10), 2);
    const url = await impatientPlace();
    const provider = open(url);
    await provider.saveSnapshot(veryLarge(1), 1);
    await provider.close();
    await copyStores(source, url, { Overwrite: true });
    expect(await versionsIn(url)).toBe(0);
    expect((await postgresql.rowsOf(url)).snapshots).toMatchObject([{ clock: 2 }]);
  });

  it('goes there like a value that nobody refers to any more', async () => {
    const url = await impatientPlace();
    const provider = open(url);
    await provider.saveValue('value', veryLarge(1));
    await provider.releaseValue('value');
    expect(await provider.loadValue('value')).toBeUndefined();
    expect(await server.query('SELECT 1 FROM sds_value_chunks', [], databaseOf(url))).toEqual([]);
  });

  it('goes there like the bytes of a value that another process has saved at the same moment', async () => {
    const url = await postgresql.freshPlace();
    const database = databaseOf(url);
    const provider = open(url, { BusyTimeoutMs: 60_000 });
    await provider.ready();
    const client = await server.connect(database);
    await client.query("BEGIN; INSERT INTO sds_values VALUES ('value', 1, 'theirs', 5, 'bytes')");
    const saved = provider.saveValue('value', snapshotOf(1));
    await expect.poll(() => server.waitingForLock(database)).toHaveLength(1);
    await client.query('COMMIT');
    await client.end();
    await saved;
    expect((await postgresql.rowsOf(url)).blobs).toMatchObject([{ ref_count: 2 }]);
    expect(await server.query('SELECT 1 FROM sds_value_chunks', [], database)).toEqual([]);
  });

  it('that a process has left, which ended too early, goes with the next one', async () => {
    const url = await postgresql.freshPlace();
    await open(url).saveSnapshot(snapshotOf(1), 1);
    await server.query(
      "INSERT INTO sds_snapshot_chunks VALUES ('store', 'of a process that has ended', 0, 'bytes')",
      undefined,
      databaseOf(url),
    );
    const provider = open(url);
    await provider.saveSnapshot(snapshotOf(2), 2);
    await provider.flush();
    await provider.loadSnapshot();
    expect(await versionsIn(url)).toBe(1);
  });
});
