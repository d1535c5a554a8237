/** One writer a store: another process is refused, or waits in `ready`; in one process providers share what it owns. */
import { createHook } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Worker } from 'node:worker_threads';
import { SDS_DesktopPersistenceProvider, type SDS_ProviderOptions } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { Program } from '../../torture/child-process.ts';
import { OtherProcess } from '../../torture/other-process.ts';
import { patchOf } from '../support/files.ts';
import {
  describeOnPostgresql,
  itOnOwnServer,
  ownPlace,
  ownServer,
  postgresql,
  proxiedPlace,
  server,
} from '../support/postgresql.ts';
import { PASSWORD, USER } from '../support/postgresql-address.ts';
import { databaseOf } from '../support/postgresql-engine.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import { codeOf, codesOf } from './outcomes.ts';

function open(url: string, store: string, options: SDS_ProviderOptions = {}): SDS_DesktopPersistenceProvider {
  const provider = new SDS_DesktopPersistenceProvider(url, store, { Acknowledge: 'committed', ...options });
  onTestFinished(() => provider.close());
  return provider;
}

/** Another process that owns the store and writes to it until it is told `close`. */
async function owner(url: string, store: string, options: SDS_ProviderOptions = {}): Promise<Program> {
  const program = new Program('owning', [url, store, 'owner', '1', JSON.stringify(options)]);
  onTestFinished(() => program.end());
  program.tell('again');
  await program.line((line) => line === 'value');
  return program;
}

/** Soon renewed, and not over as soon as a thread gets no core, or the disk takes its time. */
const LeaseMs = 6000;

const workers = new Set<Worker>();
process.on('worker', (worker: Worker) => {
  workers.add(worker);
  worker.once('exit', () => workers.delete(worker));
});

function endWorkers(): Promise<unknown> {
  return Promise.all([...workers].map((worker) => worker.terminate()));
}

/** Resolves once the one lease in a database was renewed again and again: nobody is there who would take its stores if it were late. */
async function renewedTwice(database: string): Promise<void> {
  const expiry = async () => (await server.query('SELECT expires::text FROM sds_holders', [], database))[0];
  for (let times = 0; times < 2; times++) {
    const before = await expiry();
    await expect.poll(expiry).not.toEqual(before);
  }
}

/** Takes so long that the workers hear of what was called before: another database and a thread are made. */
async function workersHear(): Promise<void> {
  await open(await ownPlace(), 'other').ready();
}

/** What another process gets that opens a store now, or waits for it. */
async function opens(
  url: string,
  store: string,
  BusyTimeoutMs = 0,
  Ownership: SDS_ProviderOptions['Ownership'] = 'exclusive',
): Promise<unknown> {
  const other = new OtherProcess();
  onTestFinished(() => other.end());
  return (await other.request(url, store, 'open', { BusyTimeoutMs, Ownership })) ?? 'opened';
}

describeOnPostgresql('who owns a store', () => {
  it('of a store that another process owns, everything is refused at once, and nothing is stored', async () => {
    const url = await postgresql.freshPlace();
    const other = await owner(url, 'store');
    const provider = open(url, 'store', { BusyTimeoutMs: 0 });
    expect(await codesOf(provider)).toEqual(['fenced']);
    other.tell('close');
    await other.line((line) => line === 'closed');
    const { patches, blobs, snapshots } = await postgresql.rowsOf(url);
    const numbers = patches.map(({ clock }) => clock);
    expect(numbers).not.toContain(900_000);
    expect([blobs.length, snapshots.length]).toEqual([1, 0]);
  });

  it('ready waits for it, and the store is there as soon as the other has closed, whatever its lease', async () => {
    const url = await postgresql.freshPlace();
    const other = await owner(url, 'store', { LeaseMs: 600_000 });
    const provider = open(url, 'store', { BusyTimeoutMs: 50_000 });
    const ready = provider.ready();
    other.tell('close');
    await other.line((line) => line === 'closed');
    await ready;
    await provider.appendPatch(patchOf('mine'), 1_000_000);
    expect(await provider.loadPatchesSince(999_999)).toHaveLength(1);
  });

  it('of a program that was killed, a program that is started again at once has the store when the lease has run out', async () => {
    const url = await ownPlace();
    const LeaseMs = 7000;
    const killed = await owner(url, 'store', { LeaseMs });
    await killed.end(); // by SIGKILL
    const provider = open(url, 'store', { LeaseMs });
    await provider.ready();
    await provider.appendPatch(patchOf('mine'), 1_000_000);
  });

  it('ready gives up after BusyTimeoutMs', async () => {
    const url = await postgresql.freshPlace();
    await owner(url, 'store');
    await expect(open(url, 'store', { BusyTimeoutMs: 300 }).ready()).rejects.toMatchObject({ code: 'fenced' });
  });

  it('other stores of the same database are free, and providers of one process share what it owns', async () => {
    const url = await postgresql.freshPlace();
    await owner(url, 'store');
    const refused = open(url, 'store', { BusyTimeoutMs: 0 });
    const [a, b] = [open(url, 'other'), open(url, 'other')];
    const calls = [refused.appendPatch(patchOf(0), 1), a.appendPatch(patchOf(1), 1), b.appendPatch(patchOf(2), 2)];
    expect((await Promise.allSettled(calls)).map(({ status }) => status)).toEqual([
      'rejected',
      'fulfilled',
      'fulfilled',
    ]);
    expect(await a.loadPatchesSince(0)).toHaveLength(2);
    // the last of them gives it back
    await a.close();
    await b.appendPatch(patchOf(3), 3);
  });

  it('exclusive and shared do not go together', async () => {
    const url = await postgresql.freshPlace();
    const other = await owner(url, 'store', { Ownership: 'shared' });
    const alone = open(url, 'store', { BusyTimeoutMs: 0 });
    expect(await codesOf(alone)).toEqual(['fenced']);
    await alone.close();
    await open(url, 'store', { Ownership: 'shared' }).appendPatch(patchOf('beside'), 1_000_000);
    other.tell('close');
    await other.line((line) => line === 'closed');
  });

  it.each([
    ['exclusive', 'shared'],
    ['shared', 'exclusive'],
  ] as const)(
    'one that a process has %s, and then %s as well, is refused to others that would share it',
    async (first, second) => {
      const url = await ownPlace();
      const had = open(url, 'store', { Ownership: first });
      await had.ready();
      const client = await server.connect(databaseOf(url));
      await client.query('BEGIN; LOCK TABLE sds_patches');
      const written = had.appendPatch(patchOf(1), 1);
      const providers = ['other', 'store'].map((store) => open(url, store, { Ownership: second }));
      await workersHear(); // of both, which are claimed together
      await client.query('COMMIT');
      await client.end();
      await Promise.all([written, ...providers.map((provider) => provider.ready())]);
      const elsewhere = new OtherProcess();
      onTestFinished(() => elsewhere.end());
      const shared = { Ownership: 'shared', BusyTimeoutMs: 0 } as const;
      expect(await elsewhere.request(url, 'store', 'open', shared)).toBe('fenced');
    },
  );

  it('a line that was silent for longer than the lease: calls wait, and the store that nobody took is still owned', async () => {
    const { proxy, url } = await proxiedPlace();
    const provider = open(url, 'store', { LeaseMs: 1000 });
    await provider.appendPatch(patchOf(1), 1);
    proxy.pause();
    const waiting = provider.appendPatch(patchOf(2), 2);
    await new Promise((resolve) => setTimeout(resolve, 2500)); // what is tested is that time passes
    proxy.resume();
    await waiting;
    await provider.appendPatch(patchOf(3), 3);
    expect(await provider.loadPatchesSince(0)).toHaveLength(3);
  });

  it('one connection that falls silent while nothing is called costs no store: the lease is renewed over another one', async () => {
    const { proxy, url, database } = await proxiedPlace();
    // a third of it is left when the other connection is made
    const LeaseMs = 9000;
    const provider = open(url, 'store', { LeaseMs });
    await provider.appendPatch(patchOf(1), 1);
    const late = await proxy.keepFrom('UPDATE sds_holders');
    const other = new OtherProcess();
    onTestFinished(() => other.end());
    // past the end of the lease
    expect(await other.request(server.url(database), 'store', 'open', { BusyTimeoutMs: LeaseMs })).toBe('fenced');
    late.cut();
    await provider.appendPatch(patchOf(2), 2);
  });

  it('one whose opening has failed, since the server was away, keeps its store once a call has worked', async () => {
    const { proxy, url, database } = await proxiedPlace();
    proxy.refuse();
    const provider = open(url, 'store', { LeaseMs: 1000, RetryForMs: 0 });
    await expect(provider.ready()).rejects.toMatchObject({ code: 'connection-failed' });
    proxy.accept();
    await provider.appendPatch(patchOf(1), 1);
    await renewedTwice(database);
    await provider.appendPatch(patchOf(2), 2);
  });

  it('one that was fenced in a long transaction keeps the connection over which it would renew its lease beside that', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = open(url, 'store', { LeaseMs: 1000, BusyTimeoutMs: 50_000 });
    await provider.saveSnapshot(patchOf(1), 1);
    const client = await server.connect(database);
    onTestFinished(() => client.end());
    await client.query('BEGIN; SELECT FROM sds_snapshots FOR UPDATE');
    const saved = provider.saveSnapshot(patchOf(2), 2);
    await expect.poll(() => server.waitingForLock(database)).toHaveLength(1);
    await server.query('UPDATE sds_holders SET fenced = true', [], database);
    await proxy.passes('UPDATE sds_holders');
    const { made } = proxy;
    for (let renewals = 0; renewals < 3; renewals++) await proxy.passes('UPDATE sds_holders');
    expect(proxy.made).toBe(made);
    await client.query('COMMIT');
    await saved;
  });

  it('one whose own row is locked for long keeps that connection, too', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = open(url, 'store', { LeaseMs: 1000, BusyTimeoutMs: 50_000 });
    await provider.saveSnapshot(patchOf(1), 1);
    const client = await server.connect(database);
    onTestFinished(() => client.end());
    await client.query('BEGIN; SELECT FROM sds_holders FOR UPDATE'); // as its own commit does that waits for a standby
    const saved = provider.saveSnapshot(patchOf(2), 2);
    const renewing = () => server.waitingForLock(database, 'UPDATE sds_holders%');
    const renewal = () => expect.poll(renewing).toHaveLength(1);
    await renewal();
    const { made } = proxy;
    const next = proxy.passes('UPDATE sds_holders');
    // as at the end of the time for it
    for (const { pid } of await renewing()) await server.query('SELECT pg_cancel_backend($1)', [pid]);
    await next;
    expect(proxy.made).toBe(made);
    await client.query('COMMIT');
    await saved;
  });

  itOnOwnServer("whoever has nothing to do and was fenced learns it without an error in the server's log", async () => {
    const own = await ownServer();
    const database = await own.freshDatabase();
    const provider = open(own.url(database), 'store', { LeaseMs: 1000 });
    await provider.appendPatch(patchOf(1), 1);
    const before = own.log.length;
    await own.query('UPDATE sds_holders SET fenced = true', [], database);
    const anew = 'SELECT FROM sds_holders WHERE NOT fenced';
    await expect.poll(async () => (await own.query(anew, [], database)).length).toBe(1);
    await provider.appendPatch(patchOf(2), 2);
    expect(own.log.slice(before)).not.toContain('ERROR');
  });

  it('of stores that are claimed anew, one that is being taken keeps no other one waiting, and is lost once it is taken', async () => {
    const url = await postgresql.freshPlace();
    const database = databaseOf(url);
    const [taken, kept] = [open(url, 'taken'), open(url, 'kept', { BusyTimeoutMs: 50_000 })];
    for (const provider of [taken, kept]) await provider.appendPatch(patchOf(1), 1);
    const client = await server.connect(database);
    await client.query("BEGIN; SELECT FROM sds_stores WHERE store_id = 'taken' FOR UPDATE");
    await server.query('UPDATE sds_holders SET fenced = true', [], database);
    await kept.appendPatch(patchOf(2), 2);
    await client.query("DELETE FROM sds_claims WHERE store_id = 'taken'; COMMIT");
    await client.end();
    await expect(taken.appendPatch(patchOf(2), 2)).rejects.toMatchObject({ code: 'fenced' });
    await kept.appendPatch(patchOf(3), 3);
  });

  it('one whose row somebody had locked is claimed anew once that is free, also if nobody calls it', async () => {
    const url = await postgresql.freshPlace();
    const database = databaseOf(url);
    const options = { LeaseMs };
    const [idle, used] = [open(url, 'idle', options), open(url, 'used', options)];
    for (const provider of [idle, used]) await provider.appendPatch(patchOf(1), 1);
    const client = await server.connect(database);
    await client.query("BEGIN; SELECT FROM sds_stores WHERE store_id = 'idle' FOR UPDATE");
    await server.query('UPDATE sds_holders SET fenced = true', [], database);
    await used.appendPatch(patchOf(2), 2);
    await client.query('COMMIT');
    await client.end();
    const owned =
      "SELECT FROM sds_claims JOIN sds_holders USING (session, generation) WHERE store_id = 'idle' AND NOT fenced";
    await expect.poll(async () => (await server.query(owned, [], database)).length).toBe(1);
    expect(await opens(url, 'idle')).toBe('fenced');
    await idle.appendPatch(patchOf(2), 2);
  });

  it('one that another process has taken meanwhile is told of on a channel, once', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = open(url, 'store', { LeaseMs: 1000 });
    await provider.appendPatch(patchOf(1), 1);
    const heard: unknown[] = [];
    const listener = (message: unknown) => heard.push(message);
    subscribe('sds-persistence:fenced', listener);
    onTestFinished(() => void unsubscribe('sds-persistence:fenced', listener));
    proxy.pause();
    const other = new OtherProcess();
    onTestFinished(() => other.end());
    expect(await other.request(server.url(database), 'store', 'open', { BusyTimeoutMs: 60_000 })).toBeUndefined();
    proxy.resume();
    for (const clock of [2, 3]) {
      await expect(provider.appendPatch(patchOf(clock), clock)).rejects.toMatchObject({ code: 'fenced' });
    }
    expect(heard).toEqual([
      { Path: provider.statistics().Path, StoreId: 'store', Message: expect.stringContaining('another process') },
    ]);
  });

  it('a store that was closed while the server was away is given back once it is there again', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const [left, kept] = [open(url, 'left', { LeaseMs: 600_000 }), open(url, 'kept')];
    await Promise.all([left.ready(), kept.ready()]);
    proxy.refuse();
    proxy.cutNow();
    await left.close();
    proxy.accept();
    await kept.appendPatch(patchOf(1), 1);
    expect(await opens(server.url(database), 'left')).toBe('opened');
    expect(await opens(server.url(database), 'kept')).toBe('fenced');
  });

  it('also if the worker that was to give it back is lost before', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const options = { LeaseMs };
    const [left, kept] = [open(url, 'left', options), open(url, 'kept', options)];
    await Promise.all([left.ready(), kept.ready()]);
    proxy.refuse();
    proxy.cutNow();
    await left.close();
    await endWorkers();
    proxy.accept();
    await kept.appendPatch(patchOf(1), 1);
    expect(await opens(server.url(database), 'left', 50_000)).toBe('opened');
    expect(await opens(server.url(database), 'kept')).toBe('fenced');
  });

  itOnOwnServer('what a lost worker left is looked for once, however long its successor waits for a lock', async () => {
    const own = await ownServer();
    const database = await own.freshDatabase();
    const provider = open(own.url(database), 'store', { LeaseMs: 1000, BusyTimeoutMs: 50_000 });
    await provider.saveSnapshot(patchOf(1), 1);
    await own.query(`ALTER DATABASE "${database}" SET log_statement = 'all'`);
    await endWorkers();
    const client = await own.connect(database);
    onTestFinished(() => client.end());
    await client.query('BEGIN; SELECT FROM sds_snapshots FOR UPDATE');
    const before = own.log.length;
    const saved = provider.saveSnapshot(patchOf(2), 2);
    const renewals = () => own.log.slice(before).split('UPDATE sds_holders SET expires').length - 1;
    await expect.poll(renewals).toBeGreaterThan(3);
    await client.query('COMMIT');
    await saved;
    await provider.appendPatch(patchOf(3), 3);
    await client.query("SELECT 'all was said'");
    await expect.poll(() => own.log).toContain('all was said');
    expect(own.log.slice(before).match(/SELECT store_id FROM sds_claims WHERE session = \$1$/gm)).toHaveLength(1);
  });

  it('and also if it was the last one, and another one is opened before that is known', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const options = { LeaseMs, RetryForMs: 1000 };
    const left = open(url, 'left', options);
    await left.ready();
    proxy.refuse();
    proxy.cutNow();
    const closing = left.close();
    await new Promise(setImmediate);
    const until = performance.now() + 200; // the worker is through with it, and this thread does not hear of that
    while (performance.now() < until);
    const kept = open(url, 'kept', options);
    proxy.accept();
    await Promise.all([closing, kept.appendPatch(patchOf(1), 1)]);
    expect(await opens(server.url(database), 'left', 50_000)).toBe('opened');
    expect(await opens(server.url(database), 'kept')).toBe('fenced');
  });

  it('one that is closed while a successor of its worker claims it, and opened anew while that gives it back, is claimed anew', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const options = { BusyTimeoutMs: 50_000, LeaseMs: 3000 };
    const [kept, left] = [open(url, 'kept', options), open(url, 'left', options)];
    await Promise.all([kept.ready(), left.ready()]);
    const client = await server.connect(database);
    onTestFinished(() => client.end());
    await client.query("BEGIN; SELECT FROM sds_stores WHERE store_id = 'kept' FOR UPDATE");
    await endWorkers();
    await expect.poll(() => server.waitingForLock(database)).toHaveLength(1);
    const closing = left.close();
    // beside the claim: then that also waits for its turn which gives back what nobody has opened any more
    await Promise.all([proxy.passes('UPDATE sds_holders'), workersHear()]);
    const givesBack = proxy.passes('DELETE FROM sds_claims WHERE store_id = ANY');
    await client.query('COMMIT');
    await givesBack;
    proxy.pause();
    const again = open(url, 'left', options);
    await workersHear();
    proxy.resume();
    await Promise.all([closing, again.appendPatch(patchOf(1), 1)]);
    expect(await server.query('SELECT store_id FROM sds_claims ORDER BY store_id', [], database)).toEqual([
      { store_id: 'kept' },
      { store_id: 'left' },
    ]);
  });

  it('one that is closed while its worker is lost, and opened anew before the next one has its connection, is not lost', async () => {
    const url = await postgresql.freshPlace();
    const database = databaseOf(url);
    const options = { BusyTimeoutMs: 50_000 };
    const [left, kept] = [open(url, 'left', options), open(url, 'kept', options)];
    await Promise.all([left.appendPatch(patchOf(1), 1), kept.appendPatch(patchOf(1), 1)]);
    const client = await server.connect(database);
    onTestFinished(() => client.end());
    await client.query('BEGIN; SELECT FROM sds_holders FOR UPDATE');
    const ended = endWorkers();
    const closing = left.close();
    await ended;
    await expect.poll(() => server.waitingForLock(database)).toHaveLength(1);
    await workersHear();
    const again = open(url, 'left', options);
    await workersHear();
    await client.query('COMMIT');
    await Promise.all([closing, again.appendPatch(patchOf(2), 2)]);
    expect(await opens(url, 'left')).toBe('fenced');
  });

  it('one that was given back, although nobody heard of that before the worker was lost, is not lost for whoever opened it since', async () => {
    const { proxy, url: proxied, database } = await proxiedPlace();
    // the proxy stands still with this thread
    const url = proxied.replace(`:${proxy.port}/`, `:${proxy.port},${server.host}:${server.port}/`);
    const options = { ConnectTimeoutMs: 500 };
    const left = open(url, 'left', options);
    await left.appendPatch(patchOf(1), 1);
    const unheard = proxy.loseAnswerTo({ 'DELETE FROM sds_claims': 'COMMIT' }, false);
    const closing = left.close();
    await unheard;
    const again = open(url, 'left', options);
    const last = open(url, 'last', { ...options, Password: async () => PASSWORD });
    // before the next worker hears of the last one, for which ports are made, it claims what it has heard of
    const steps = ['WORKER', 'PROMISE', 'MESSAGEPORT'];
    const hearsLate = createHook({
      init(_, type) {
        if (type !== steps[0]) return;
        steps.shift();
        const until = performance.now() + 1500;
        while (steps.length === 0 && performance.now() < until);
      },
    }).enable();
    await endWorkers();
    await Promise.all([last.ready(), again.appendPatch(patchOf(2), 2)]);
    hearsLate.disable();
    await closing;
    expect(await opens(server.url(database), 'left')).toBe('fenced');
  });

  it('one that was lost is lost for whoever has had it, also if another provider asks first that never had it', async () => {
    const { proxy, url, database } = await proxiedPlace();
    proxy.refuse();
    const first = open(url, 'store', { RetryForMs: 0 });
    await expect(first.ready()).rejects.toMatchObject({ code: 'connection-failed' });
    proxy.accept();
    const owner = open(url, 'store');
    await owner.appendPatch(patchOf(1), 1);
    // as if another process had taken it over, and given it back
    await server.query('DELETE FROM sds_claims', [], database);
    await endWorkers();
    await expect(owner.appendPatch(patchOf(2), 2)).rejects.toMatchObject({ code: 'fenced' });
  });

  it.each<[string, (provider: SDS_DesktopPersistenceProvider) => Promise<unknown>]>([
    ['a write', (provider) => provider.appendPatch(patchOf(1), 1)],
    ['a load', (provider) => provider.loadPatchesSince(0)],
  ])('one is lost also for whoever has had it since %s, after an opening that failed', async (_call, call) => {
    const { proxy, url, database } = await proxiedPlace();
    proxy.refuse();
    const owner = open(url, 'store', { RetryForMs: 0 });
    await expect(owner.ready()).rejects.toMatchObject({ code: 'connection-failed' });
    proxy.accept();
    await call(owner);
    // as if another process had taken it over, and given it back
    await server.query('DELETE FROM sds_claims', [], database);
    proxy.cutNow();
    await expect(owner.appendPatch(patchOf(2), 2)).rejects.toMatchObject({ code: 'fenced' });
  });

  it('those of a process that was fenced are claimed together, though another process has one of them', async () => {
    const { proxy, url, database } = await proxiedPlace();
    await owner(server.url(database), 'theirs');
    const options = { LeaseMs: 600_000, BusyTimeoutMs: 0 };
    const had = open(url, 'had', options);
    await had.ready();
    const sql = "SELECT session FROM sds_claims WHERE store_id = 'had'";
    await server.query(`UPDATE sds_holders SET fenced = true WHERE session IN (${sql})`, [], database);
    proxy.pause();
    const read = had.loadPatchesSince(0);
    await workersHear();
    const theirs = expect(open(url, 'theirs', options).ready()).rejects.toMatchObject({ code: 'fenced' });
    const others = Array.from({ length: 10 }, (_, i) => open(url, `other ${i}`, options));
    await workersHear(); // of all, which wait for what is read
    proxy.resume();
    await Promise.all([read, theirs, ...others.map((other) => other.ready())]);
    const transactions = "SELECT DISTINCT xmin::text FROM sds_claims WHERE store_id LIKE 'other %'";
    expect(await server.query(transactions, [], database)).toHaveLength(1);
  });

  it('one that a fenced process has both shared and for itself is still closed to others that would share it', async () => {
    const url = await ownPlace();
    const shared = open(url, 'store', { Ownership: 'shared' });
    await shared.ready();
    const [alone, other] = [open(url, 'store'), open(url, 'other')];
    await Promise.all([alone.ready(), other.ready()]);
    await server.query('UPDATE sds_holders SET fenced = true', [], databaseOf(url));
    await other.appendPatch(patchOf(1), 1); // claims all anew
    expect(await opens(url, 'store', 0, 'shared')).toBe('fenced');
  });

  it('a process that is fenced while it registers anew keeps its connection', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = open(url, 'store', { LeaseMs: 600_000 });
    await provider.ready();
    const fencing = `CREATE SEQUENCE times; GRANT ALL ON times TO PUBLIC;
      CREATE FUNCTION fence() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('times') = 1 THEN UPDATE sds_holders SET incarnation = '' WHERE session = NEW.session; END IF; RETURN NEW;
      END $$;
      CREATE TRIGGER fencing AFTER INSERT ON sds_claims FOR EACH ROW EXECUTE FUNCTION fence();
      UPDATE sds_holders SET fenced = true`;
    await server.query(fencing, [], database);
    await provider.appendPatch(patchOf(1), 1);
    expect(await server.query('SELECT last_value::int AS times FROM times', [], database)).toEqual([{ times: 2 }]);
    expect(proxy.made).toBe(1);
  });

  it('one that was lost stays so when its claim comes back with an older state of the database, and it is asked for along with others', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const [owner, kept] = [open(url, 'store'), open(url, 'kept')];
    await Promise.all([owner.appendPatch(patchOf(1), 1), kept.appendPatch(patchOf(1), 1)]);
    const taken = "WHERE store_id = 'store'";
    await server.query(`CREATE TABLE older AS SELECT * FROM sds_claims ${taken}`, [], database);
    // as if another process had taken it over
    await server.query(`DELETE FROM sds_claims ${taken}`, [], database);
    proxy.cutNow();
    await expect(owner.appendPatch(patchOf(2), 2)).rejects.toMatchObject({ code: 'fenced' });
    await server.query('INSERT INTO sds_claims SELECT * FROM older', [], database);
    const client = await server.connect(database);
    await client.query('BEGIN; LOCK TABLE sds_patches');
    const written = kept.appendPatch(patchOf(2), 2);
    const providers = ['other', 'store'].map((store) => open(url, store, { BusyTimeoutMs: 0 }));
    await workersHear(); // of both, which are claimed together
    await client.query('COMMIT');
    await client.end();
    await Promise.all([written, providers[0]?.ready()]);
    await expect(owner.appendPatch(patchOf(3), 3)).rejects.toMatchObject({ code: 'fenced' });
  });

  it('one that was lost stays so when its process registers anew while somebody has locked it', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const owner = open(url, 'store', { BusyTimeoutMs: 0 });
    await owner.appendPatch(patchOf(1), 1);
    // as if another process had taken it over, and given it back
    await server.query('DELETE FROM sds_claims', [], database);
    proxy.cutNow();
    await expect(owner.appendPatch(patchOf(2), 2)).rejects.toMatchObject({ code: 'fenced' });
    const client = await server.connect(database);
    onTestFinished(() => client.end());
    await client.query("BEGIN; SELECT FROM sds_stores WHERE store_id = 'store' FOR UPDATE");
    proxy.cutNow();
    await expect(owner.appendPatch(patchOf(2), 2)).rejects.toMatchObject({ code: 'fenced' });
  });

  it('one that was lost is had again by a provider that never had it, once those are closed that have', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const [owner, other] = [open(url, 'store'), open(url, 'store')];
    await Promise.all([owner.appendPatch(patchOf(1), 1), other.ready()]);
    // as if another process had taken it over, and given it back
    await server.query('DELETE FROM sds_claims', [], database);
    proxy.cutNow();
    await expect(owner.appendPatch(patchOf(2), 2)).rejects.toMatchObject({ code: 'fenced' });
    const newcomer = open(url, 'store');
    await owner.close();
    for (const one of [other, newcomer]) {
      await expect(one.appendPatch(patchOf(2), 2)).rejects.toMatchObject({ code: 'fenced' });
    }
    await other.close();
    await newcomer.appendPatch(patchOf(2), 2);
  });

  it('one that is closed while it waits for its store does not ask for it again', async () => {
    const { proxy, url, database } = await proxiedPlace();
    await owner(server.url(database), 'store');
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', { BusyTimeoutMs: 50_000 });
    const refused = expect(provider.ready()).rejects.toMatchObject({ code: 'fenced' });
    // once that has come back, the first attempt to get it is over
    await expect(provider.appendPatch(patchOf(1), 1)).rejects.toMatchObject({ code: 'fenced' });
    await provider.close();
    await refused;
    expect(proxy.connections).toBe(0);
  });

  it.each<[when: string, lose: (proxy: TcpProxy) => unknown, options: SDS_ProviderOptions]>([
    ['before', (proxy) => proxy.cutNow(), { Password: async () => PASSWORD }],
    ['as it gives its store back', (proxy) => proxy.holdBack('DELETE FROM sds_claims'), {}],
    ['as it leaves', (proxy) => proxy.holdBack('DELETE FROM sds_holders'), {}],
  ])('one that is closed gives all back over a new connection if its own is lost %s', async (_, lose, options) => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = open(url, 'store', { LeaseMs: 600_000, ...options });
    await provider.ready();
    const lost = lose(proxy);
    await provider.close();
    await lost; // it was
    expect(await server.query('SELECT store_id FROM sds_claims', [], database)).toEqual([]);
    expect(await server.query('SELECT session FROM sds_holders', [], database)).toEqual([]);
  });

  it('of a server that is away it is tried once, however many are closed', async () => {
    const { proxy, url } = await proxiedPlace();
    const providers = Array.from({ length: 20 }, (_, i) => open(url, `store ${i}`, { ConnectTimeoutMs: 500 }));
    await Promise.all(providers.map((provider) => provider.ready()));
    const { made } = proxy;
    proxy.pause(); // connections are made, and nobody answers
    proxy.cutNow();
    await Promise.all(providers.map((provider) => provider.close()));
    expect(proxy.made - made).toBe(1);
  });

  it('a claim whose answer was lost is given back like any other', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const kept = open(url, 'kept', { RetryForMs: 300 });
    await kept.ready();
    const lost = proxy.loseAnswerTo({ 'INSERT INTO sds_claims': 'COMMIT' });
    proxy.refuse();
    const left = open(url, 'left');
    await lost;
    await expect(left.ready()).rejects.toMatchObject({ code: 'connection-failed' });
    await left.close();
    proxy.accept();
    await kept.appendPatch(patchOf(1), 1);
    expect(await opens(server.url(database), 'left')).toBe('opened');
  });

  it('a claim that the server has lost is no claim: a standby that was promoted may lack the last commits', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const [first, second] = [open(url, 'first'), open(url, 'second')];
    await Promise.all([first.appendPatch(patchOf(1), 1), second.appendPatch(patchOf(1), 1)]);
    await server.query("DELETE FROM sds_claims WHERE store_id = 'first'", undefined, database);
    proxy.cutNow();
    await second.appendPatch(patchOf(2), 2);
    const calls = [first.appendPatch(patchOf(2), 2), first.loadPatchesSince(0), first.saveValue('value', patchOf(2))];
    expect((await Promise.allSettled(calls)).map(codeOf)).toEqual(Array(3).fill('fenced'));
    await first.close();
    await open(url, 'first').appendPatch(patchOf(2), 2);
  });

  it('a claim that was given back and has come again is given back: a standby that was promoted may lack that, too', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const options = { LeaseMs };
    const [left, kept] = [open(url, 'left', options), open(url, 'kept', options)];
    await Promise.all([left.ready(), kept.ready()]);
    await left.close();
    const again = "INSERT INTO sds_claims SELECT 'left', session, generation FROM sds_claims WHERE store_id = 'kept'";
    await server.query(again, undefined, database);
    proxy.cutNow();
    await kept.appendPatch(patchOf(1), 1);
    expect(await opens(server.url(database), 'left', 50_000)).toBe('opened');
    expect(await opens(server.url(database), 'kept')).toBe('fenced');
  });

  it('stores that are opened together are claimed together, but for the one that another process has', async () => {
    const url = await postgresql.freshPlace();
    const other = await owner(url, 'store 150', { LeaseMs: 600_000 });
    // keeps the first claim until all the others wait behind it
    const client = await server.connect(databaseOf(url));
    await client.query("BEGIN; INSERT INTO sds_stores VALUES ('store 0', false)");
    const providers = Array.from({ length: 300 }, (_, i) => open(url, `store ${i}`, { BusyTimeoutMs: 50_000 }));
    const taken = providers[150]?.ready();
    await expect.poll(() => server.waitingForLock(databaseOf(url))).toHaveLength(1);
    await client.query('COMMIT');
    await client.end();
    await Promise.all(providers.filter((_, i) => i !== 150).map((provider) => provider.ready()));
    const [claims] = await server.query<{ count: number; transactions: number }>(
      'SELECT count(*)::int AS count, count(DISTINCT xmin::text)::int AS transactions FROM sds_claims',
      undefined,
      databaseOf(url),
    );
    expect(claims?.count).toBe(300);
    expect(claims?.transactions).toBeLessThan(30);
    expect(await opens(url, 'store 299')).toBe('fenced');
    other.tell('close');
    await other.line((line) => line === 'closed');
    await taken;
    await Promise.all(providers.map((provider, i) => provider.appendPatch(patchOf(i), 1_000_000)));
  });

  it('stores that are closed together are given back together', async () => {
    const url = await ownPlace();
    const database = databaseOf(url);
    const kept = open(url, 'kept', { BusyTimeoutMs: 50_000 });
    const providers = Array.from({ length: 300 }, (_, i) => open(url, `store ${i}`));
    await Promise.all([kept, ...providers].map((provider) => provider.ready()));
    await server.query(
      `CREATE TABLE given_back (store text, transaction text);
      CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
        'BEGIN INSERT INTO given_back VALUES (OLD.store_id, txid_current()::text); RETURN NULL; END';
      CREATE TRIGGER note AFTER DELETE ON sds_claims FOR EACH ROW EXECUTE FUNCTION note()`,
      [],
      database,
    );
    // keeps the first one until all the others wait behind it
    const client = await server.connect(database);
    await client.query("BEGIN; SELECT FROM sds_claims WHERE store_id = 'store 0' FOR UPDATE");
    const closing = Promise.all(providers.map((provider) => provider.close()));
    await expect.poll(() => server.waitingForLock(database)).toHaveLength(1);
    await client.end();
    await closing;
    const [given] = await server.query<{ stores: number; transactions: number }>(
      'SELECT count(*)::int AS stores, count(DISTINCT transaction)::int AS transactions FROM given_back',
      [],
      database,
    );
    expect(given?.stores).toBe(300);
    expect(given?.transactions).toBeLessThan(30);
    expect(await opens(url, 'store 299')).toBe('opened');
    expect(await opens(url, 'kept')).toBe('fenced');
  });

  it('and one that can not be given back keeps neither those nor the calls of others', async () => {
    const database = `latin_${process.pid}`;
    await server.query(
      `CREATE DATABASE ${database} OWNER "${USER}" TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`,
    );
    onTestFinished(() => server.dropDatabase(database));
    const url = server.url(database);
    const [kept, left, unknown] = [open(url, 'kept'), open(url, 'left'), open(url, '日本')];
    await Promise.all([kept.ready(), left.ready()]);
    await expect(unknown.ready()).rejects.toMatchObject({ code: 'invalid-argument' });
    await Promise.all([left.close(), unknown.close()]);
    await kept.appendPatch(patchOf(1), 1);
    expect(await opens(url, 'left')).toBe('opened');
    expect(await opens(url, 'kept')).toBe('fenced');
  });

  it('nor does one that somebody has locked: it is given back with the next one', async () => {
    const url = await ownPlace();
    const options = { BusyTimeoutMs: 0 };
    const [kept, left, next] = [open(url, 'kept', options), open(url, 'left', options), open(url, 'next', options)];
    await Promise.all([kept.ready(), left.ready(), next.ready()]);
    const other = await server.connect(databaseOf(url));
    onTestFinished(() => other.end());
    await other.query("BEGIN; SELECT FROM sds_claims WHERE store_id = 'left' FOR UPDATE");
    await left.close();
    await kept.appendPatch(patchOf(1), 1);
    await other.query('ROLLBACK');
    await next.close();
    expect(await opens(url, 'left')).toBe('opened');
    expect(await opens(url, 'next')).toBe('opened');
    expect(await opens(url, 'kept')).toBe('fenced');
  });

  it('one that is closed while it is opened is given back, whether it was waited for or asked for along with another one', async () => {
    const url = await ownPlace();
    const kept = open(url, 'kept', { BusyTimeoutMs: 50_000 });
    await kept.ready();
    const client = await server.connect(databaseOf(url));
    await client.query("BEGIN; INSERT INTO sds_stores VALUES ('store 0', false)");
    const providers = Array.from({ length: 3 }, (_, i) => open(url, `store ${i}`, { BusyTimeoutMs: 50_000 }));
    const ready = providers.map((provider) => provider.ready());
    await expect.poll(() => server.waitingForLock(databaseOf(url))).toHaveLength(1);
    const closing = providers.map((provider) => provider.close());
    await workersHear();
    await client.query('COMMIT');
    await client.end();
    await Promise.all([...ready, ...closing]);
    expect(await server.query('SELECT store_id FROM sds_claims', [], databaseOf(url))).toEqual([{ store_id: 'kept' }]);
  });

  it('and do not wait for one whose row somebody has locked', async () => {
    const url = await postgresql.freshPlace();
    const [first] = [open(url, 'first')];
    await first.ready();
    const client = await server.connect(databaseOf(url));
    await client.query("INSERT INTO sds_stores VALUES ('locked', false)");
    await client.query("BEGIN; SELECT FROM sds_stores WHERE store_id = 'locked' FOR UPDATE");
    const [a, b, locked] = ['a', 'b', 'locked'].map((name) => open(url, name, { BusyTimeoutMs: 50_000 }));
    const waiting = locked?.ready();
    await Promise.all([a?.ready(), b?.ready()]);
    await client.end();
    await waiting;
    expect(await opens(url, 'locked')).toBe('fenced');
  });

  it('names that are stored alike are one store, which belongs to this process until the last of them is closed', async () => {
    const url = await postgresql.freshPlace();
    const [one, other] = [open(url, 'a\uD800'), open(url, 'a\uFFFD')];
    await Promise.all([one.appendPatch(patchOf(1), 1), other.appendPatch(patchOf(2), 2)]);
    await one.close();
    expect(await other.loadPatchesSince(0)).toHaveLength(2);
    const [claims] = await server.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM sds_claims',
      undefined,
      databaseOf(url),
    );
    expect(claims).toEqual({ count: 1 });
  });
});
