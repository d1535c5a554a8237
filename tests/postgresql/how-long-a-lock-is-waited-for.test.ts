/** Locks of other programs are waited for as long as the providers want that are open, and no longer. */
import { SDS_DesktopPersistenceProvider, type SDS_ProviderOptions } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { patchOf } from '../support/files.ts';
import { findPgBouncer, howToHavePgBouncer, PgBouncer } from '../support/pgbouncer.ts';
import {
  describeOnPostgresql,
  itOnOwnServer,
  ownPlace,
  ownServer,
  postgresql,
  proxiedPlace,
  server,
} from '../support/postgresql.ts';
import { databaseOf } from '../support/postgresql-engine.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { codeOf, sqlOfTables } from './outcomes.ts';

/** Notes of each process that makes itself known again whether its lease had already run out at that moment. */
const NOTING = `
  CREATE TABLE registered (has_time bool);
  CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
      INSERT INTO public.registered VALUES (NEW.expires > clock_timestamp());
      RETURN NULL;
    END $$;
  CREATE TRIGGER noted AFTER UPDATE ON sds_holders FOR EACH ROW WHEN (NEW.incarnation <> OLD.incarnation) EXECUTE FUNCTION note();`;

type Opened = SDS_DesktopPersistenceProvider;

function open(
  url: string,
  store: string,
  BusyTimeoutMs: number,
  options: SDS_ProviderOptions = {},
): SDS_DesktopPersistenceProvider {
  const settings = { Acknowledge: 'committed', BusyTimeoutMs, ...options } as const;
  const provider = new SDS_DesktopPersistenceProvider(url, store, settings);
  onTestFinished(() => provider.close());
  return provider;
}

/** By which a server that says nothing is soon asked elsewhere, and is not taken for lost if that takes seconds. */
const asked = { RetryForMs: 3000, ConnectTimeoutMs: 3000 };

/** In the middle of a transaction. */
async function otherProgram(url: string) {
  const other = await server.connect(databaseOf(url));
  onTestFinished(() => other.end());
  await other.query('BEGIN');
  return other;
}

const loads: Record<string, (provider: SDS_DesktopPersistenceProvider) => Promise<unknown>> = {
  loadSnapshot: (provider) => provider.loadSnapshot(),
  loadPatchesSince: (provider) => provider.loadPatchesSince(0),
  loadValue: (provider) => provider.loadValue('value'),
  loadStore: (provider) => provider.loadStore(),
  listStores: (provider) => provider.listStores(),
  loadRecord: (provider) => provider.loadRecord('key'),
  loadRecords: (provider) => provider.loadRecords(''),
};

describeOnPostgresql('a lock', () => {
  it('is waited for within limits by what is asked behind a commit, too: which patches were lost', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = open(url, 'store', 5000, { OnClockCollision: 'ignore' });
    await provider.appendPatch(patchOf(1), 1);
    const question = proxy.keepFrom('SELECT u.n FROM');
    const call = provider.appendPatch(patchOf('other bytes'), 1);
    const late = await question;
    // what has come through before it
    const limited =
      "SELECT FROM pg_stat_activity WHERE datname = $1 AND xact_start IS NOT NULL AND query LIKE '%statement_timeout%'";
    await expect.poll(async () => (await server.query(limited, [database])).length).toBe(1);
    late.cut();
    await call;
    expect(provider.ClockCollisions).toBe(1);
  });

  it('keeps nothing that is committed from being acknowledged, though what is asked behind the commit waits in vain', async () => {
    const { proxy, url } = await proxiedPlace();
    const provider = open(url, 'store', 60_000, { OnClockCollision: 'ignore' });
    await provider.appendPatch(patchOf(1), 1);
    const holdingUp = await otherProgram(url);
    const locking = await otherProgram(url);
    const waiting = "FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'";
    const untilWaiting = (count: number) =>
      expect.poll(async () => (await server.query(`SELECT ${waiting}`, [databaseOf(url)])).length).toBe(count);

    await holdingUp.query('SELECT FROM sds_holders FOR UPDATE'); // the last statement of each transaction changes it
    const unseen = { SnapshotClock: 1, Patches: [], LastClock: 1 };
    proxy.pause();
    const load = provider.loadSnapshot(); // what is called while it is under way is one transaction
    const calls = Promise.all([
      provider.compactStore(patchOf('snapshot'), unseen),
      provider.appendPatch(patchOf('other bytes'), 1),
    ]);
    proxy.resume();
    await load;
    await untilWaiting(1);
    const locked = locking.query('LOCK TABLE sds_patches IN ACCESS EXCLUSIVE MODE');
    await untilWaiting(2);
    await holdingUp.query('COMMIT');
    await locked;
    await untilWaiting(1);
    await server.query(`SELECT pg_cancel_backend(pid) ${waiting}`, [databaseOf(url)]); // as at the end of the time for it
    expect(await calls).toEqual([false, undefined]); // the compaction was refused before
    await locking.query('COMMIT');
  });

  it('is not waited for as long as a provider wanted that is closed', async () => {
    const url = await postgresql.freshPlace();
    const hasty = open(url, 'store', 100);
    await hasty.saveSnapshot(patchOf(1), 1);
    const patient = open(url, 'other', 600_000);
    await patient.saveSnapshot(patchOf(1), 1);
    await patient.close();
    const other = await otherProgram(url);
    await other.query('SELECT 1 FROM sds_snapshots FOR UPDATE');
    await expect(hasty.saveSnapshot(patchOf(2), 2)).rejects.toMatchObject({ code: 'database-busy' });
    await other.query('ROLLBACK');
    await hasty.saveSnapshot(patchOf(3), 3);
  });

  it.each(Object.entries(loads))(
    'is not waited for any longer by %s, whoever has locked the tables',
    async (_, load) => {
      const url = await postgresql.freshPlace();
      const provider = open(url, 'store', 100);
      await Promise.all([provider.saveSnapshot(new Uint8Array(1_000_000), 1), provider.saveRecord('key', patchOf(1))]);
      const other = await otherProgram(url);
      for (const table of ['snapshot_chunks', 'patches', 'values', 'records']) {
        await other.query(`LOCK TABLE sds_${table} IN ACCESS EXCLUSIVE MODE`);
      }
      await expect(load(provider)).rejects.toMatchObject({ code: 'database-busy' });
      await other.query('ROLLBACK');
      await load(provider);
    },
  );

  const ofProvider = "FROM pg_stat_activity WHERE datname = $1 AND application_name = 'sds-persistence-worker'";

  it('is not waited for any longer by whoever has to make himself known again', async () => {
    const url = await postgresql.freshPlace();
    const provider = open(url, 'store', 100, { RetryForMs: 0 });
    await provider.appendPatch(patchOf(1), 1);
    const other = await otherProgram(url);
    await other.query('SELECT FROM sds_holders FOR UPDATE');
    await server.query(`SELECT pg_terminate_backend(pid) ${ofProvider}`, [databaseOf(url)]);
    const [outcome] = await Promise.allSettled([provider.appendPatch(patchOf(2), 2)]);
    // the latter if it was sent before the end of its connection was heard of
    expect(['database-busy', 'connection-failed']).toContain(codeOf(outcome));
    await other.query('ROLLBACK');
    await provider.appendPatch(patchOf(3), 3);
    expect((await postgresql.rowsOf(url)).patches.map(({ clock }) => clock)).toEqual([1, 3]);
  });

  it.each(['before its loss is noticed', 'while another one is being made to renew the lease'])(
    'that a lost connection has left is waited for like the server itself, by what is called %s',
    async (when) => {
      const url = await postgresql.freshPlace();
      const provider = open(url, 'store', 100, { LeaseMs: 1000 });
      await provider.appendPatch(patchOf(1), 1);
      const other = await otherProgram(url);
      await other.query('SELECT FROM sds_holders FOR UPDATE'); // as a backend does that is still at work
      await server.query(`SELECT pg_terminate_backend(pid) ${ofProvider}`, [databaseOf(url)]);
      const attempts = new Set<string>();
      const seeAttempts = async () => {
        const sql = `SELECT query_start::text AS at ${ofProvider} AND wait_event_type = 'Lock'`;
        for (const { at } of await server.query<{ at: string }>(sql, [databaseOf(url)])) attempts.add(at);
        return attempts.size;
      };
      if (when.startsWith('while')) await expect.poll(seeAttempts).toBeGreaterThan(0);
      attempts.clear();
      const append = provider.appendPatch(patchOf(2), 2);
      await expect.poll(seeAttempts).toBeGreaterThan(5); // a batch that fails is tried call by call: more than that
      await other.query('ROLLBACK');
      await append;
    },
  );

  it("of a process's own row that was waited for longer than its lease leaves it a whole one", async () => {
    const url = await ownPlace();
    await sqlOfTables(url);
    await server.query(NOTING, [], databaseOf(url));
    const provider = open(url, 'store', 600_000, { LeaseMs: 1000 });
    await provider.appendPatch(patchOf(1), 1);
    const other = await otherProgram(url);
    await other.query('SELECT FROM sds_holders FOR UPDATE');
    await server.query(`SELECT pg_terminate_backend(pid) ${ofProvider}`, [databaseOf(url)]);
    const append = provider.appendPatch(patchOf(2), 2);
    const waitsLong = "wait_event_type = 'Lock' AND clock_timestamp() - query_start > interval '1.5 seconds'";
    const waiting = () => server.query(`SELECT pid ${ofProvider} AND ${waitsLong}`, [databaseOf(url)]);
    await expect.poll(waiting).not.toEqual([]); // the lease is renewed over another connection meanwhile
    await other.query('ROLLBACK');
    await append;
    expect(await server.query('SELECT has_time FROM registered', [], databaseOf(url))).toEqual([{ has_time: true }]);
  });

  it('of what is left of another process is not waited for by one who connects anew, nor by one who comes', async () => {
    const url = await postgresql.freshPlace();
    const provider = open(url, 'store', 100, { RetryForMs: 3000 });
    await provider.appendPatch(patchOf(1), 1);
    const sql =
      "INSERT INTO sds_holders (session, generation, expires, fenced) VALUES ($1, 0, now() - interval '8 days', false)";
    await server.query(sql, ['gone'], databaseOf(url));
    const other = await otherProgram(url);
    await other.query("SELECT FROM sds_holders WHERE session = 'gone' FOR UPDATE");
    await server.query(`SELECT pg_terminate_backend(pid) ${ofProvider}`, [databaseOf(url)]);
    await provider.appendPatch(patchOf(2), 2);
    await provider.close();
    await open(url, 'store', 100).appendPatch(patchOf(3), 3);
    await other.query('ROLLBACK');
  });

  it.each(['sds_claims', 'sds_holders'])(
    'is waited for together by what is called together, and not one after the other: %s',
    async (table) => {
      const url = await postgresql.freshPlace();
      await open(url, 'first', 2000).ready();
      const other = await otherProgram(url);
      await other.query(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
      const providers = Array.from({ length: 100 }, (_, index) => open(url, `store ${index}`, 2000));
      const busy = providers.map(() => 'database-busy');
      const opened = await Promise.allSettled(providers.map((provider) => provider.ready()));
      expect(opened.map(codeOf)).toEqual(busy);
      const loaded = await Promise.allSettled(providers.map((provider) => provider.loadPatchesSince(0)));
      expect(loaded.map(codeOf)).toEqual(busy);
      await Promise.all(providers.map((provider) => provider.close()));
      await other.query('ROLLBACK');
    },
  );

  it('leaves to each write the whole time for it, also behind one that has waited in vain', async () => {
    const { proxy, url } = await proxiedPlace();
    const provider = open(url, 'store', 5000);
    await provider.appendPatch(patchOf(1), 1);
    const other = await otherProgram(url);
    await other.query('LOCK TABLE sds_patches IN ACCESS EXCLUSIVE MODE');
    const request = proxy.passes('INTO sds_patches');
    const first = provider.appendPatch(patchOf(2), 2);
    await request;
    const second = provider.appendPatch(patchOf(3), 3);
    await expect(first).rejects.toMatchObject({ code: 'database-busy' });
    await expect.poll(() => server.waitingForLock(databaseOf(url))).toHaveLength(1);
    await other.query('ROLLBACK');
    await second;
  });

  /** Two stores, of which another program has locked the snapshot of one. */
  async function oneLocked() {
    const { proxy, url } = await proxiedPlace();
    const [locked, free] = ['locked', 'free'].map((store) => open(url, store, 300)) as [Opened, Opened];
    await Promise.all([locked.saveSnapshot(patchOf(1), 1), free.ready()]);
    const other = await otherProgram(url);
    await other.query("SELECT * FROM sds_snapshots WHERE store_id = 'locked' FOR UPDATE");
    return { proxy, locked, free, other };
  }

  it('on the rows of one store fails no call on another one that was gathered with it', async () => {
    const { proxy, locked, free, other } = await oneLocked();
    const request = proxy.passes('INTO sds_snapshots');
    const calls: Promise<void>[] = [locked.saveSnapshot(patchOf(2), 2)];
    await request;
    // gathered while that one waits: its answer comes by way of this thread
    calls.push(locked.saveSnapshot(patchOf(3), 3), free.appendPatch(patchOf(1), 1), locked.appendPatch(patchOf(4), 4));
    const ended = await Promise.allSettled(calls);
    expect(ended.map(codeOf)).toEqual(['database-busy', 'database-busy', 'carried out', 'carried out']);
    await other.query('ROLLBACK');
    expect(await locked.loadSnapshot()).toEqual(patchOf(1));
  });

  it('the same, however many calls on the locked one were gathered before', async () => {
    const { proxy, locked, free } = await oneLocked();
    const request = proxy.passes('INTO sds_snapshots');
    const first = locked.saveSnapshot(patchOf(2), 2);
    await request;
    const more = Array.from({ length: 200 }, (_, at) => locked.saveSnapshot(patchOf(3), 3 + at));
    const behind = free.appendPatch(patchOf(1), 1);
    const ended = await Promise.allSettled([first, ...more]);
    expect(new Set(ended.map(codeOf))).toEqual(new Set(['database-busy']));
    await behind;
  });

  itOnOwnServer(
    'on a whole table is not waited for by each of a thousand calls that have waited for it together',
    async () => {
      const own = await ownServer({ settings: { log_min_error_statement: 'panic' } });
      const database = await own.freshDatabase();
      const url = own.url(database);
      const providers = Array.from({ length: 1000 }, (_, at) => open(url, `store ${at}`, 300));
      await Promise.all(providers.map((provider) => provider.ready()));
      const other = await own.connect(database);
      await other.query('BEGIN; LOCK TABLE sds_patches IN ACCESS EXCLUSIVE MODE');
      const ended = await Promise.allSettled(providers.map((provider) => provider.appendPatch(patchOf(1), 1)));
      expect(new Set(ended.map(codeOf))).toEqual(new Set(['database-busy']));
      expect(own.log.match(/lock timeout/g)?.length).toBeLessThan(500);
      await other.end();
    },
  );

  it('that keeps a store from being given back keeps it only while it is there, though nothing else is closed', async () => {
    const url = await postgresql.freshPlace();
    const providers = ['closed', 'open'].map((store) => open(url, store, 100, { LeaseMs: 1000 }));
    await Promise.all(providers.map((provider) => provider.ready()));
    const other = await otherProgram(url);
    await other.query('LOCK TABLE sds_claims IN ACCESS EXCLUSIVE MODE');
    await providers[0]?.close();
    await other.query('ROLLBACK');
    const claimed = () => server.query('SELECT store_id FROM sds_claims', [], databaseOf(url));
    await expect.poll(claimed).toEqual([{ store_id: 'open' }]);
  });

  it.each([
    ['beside one who would not', [600_000, 100]],
    ['last', [600_000]],
  ])('is not waited for any longer by one who leaves, %s, however long he would have waited', async (_, patience) => {
    const url = await postgresql.freshPlace();
    const providers = patience.map((BusyTimeoutMs) => open(url, `waits for ${BusyTimeoutMs} ms`, BusyTimeoutMs));
    await Promise.all(providers.map((provider) => provider.appendPatch(patchOf(1), 1)));
    const other = await otherProgram(url);
    await other.query('LOCK TABLE sds_claims, sds_holders IN ACCESS EXCLUSIVE MODE');
    for (const provider of providers) await provider.close();
    await other.query('ROLLBACK');
  });

  it('is waited for over one connection, also where the server does not tell that it is at work', async () => {
    const { proxy, url, database } = await proxiedPlace();
    await server.query(`ALTER DATABASE ${database} SET track_activities = off`);
    const options = { ...asked, LeaseMs: 600_000 };
    const provider = open(url, 'store', 600_000, options);
    await provider.saveSnapshot(patchOf(1), 1);
    const other = await otherProgram(server.url(database));
    await other.query('SELECT 1 FROM sds_snapshots FOR UPDATE');
    const call = provider.saveSnapshot(patchOf(2), 2);
    const waiting = () => server.waitingForLock(database);
    await expect.poll(waiting).toHaveLength(1);
    const first = await waiting();
    const { made } = proxy;
    await expect.poll(() => proxy.made - made).toBeGreaterThan(1); // so often it was asked elsewhere
    expect(await waiting()).toEqual(first);
    await other.query('ROLLBACK');
    await call;
  });

  itOnOwnServer(
    'is waited for through a pooler without a connection to spare, by which the server could be asked',
    async ({ skip }) => {
      const program = findPgBouncer();
      if (program === undefined) return skip(howToHavePgBouncer);
      const bouncer = await PgBouncer.start(program, server, 1);
      onTestFinished(() => bouncer.remove());
      const proxy = await TcpProxy.listen(bouncer.port);
      onTestFinished(() => proxy.close());
      const direct = await ownPlace();
      const url = server.url(databaseOf(direct), { port: proxy.port });
      const options = { ...asked, LeaseMs: 600_000 };
      const provider = open(url, 'store', 600_000, options);
      await provider.saveSnapshot(patchOf(1), 1);
      const other = await otherProgram(direct);
      await other.query('SELECT 1 FROM sds_snapshots FOR UPDATE');
      const { made } = proxy;
      const call = provider.saveSnapshot(patchOf(2), 2);
      await expect.poll(() => proxy.made - made).toBeGreaterThan(1);
      await other.query('ROLLBACK');
      await call;
    },
  );
});
