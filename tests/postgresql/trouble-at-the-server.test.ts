/** A server that is there and can't do what it is asked: the right code, nothing stored, and all is well when it is over. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SDS_DesktopPersistenceProvider, type SDS_ProviderOptions } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { errorResponse } from '../support/error-response.ts';
import { freshFolder, patchOf } from '../support/files.ts';
import {
  describeOnPostgresql,
  itOnOwnServer,
  limitTimes,
  ownPlace,
  ownServer,
  postgresql,
  proxiedPlace,
  server,
} from '../support/postgresql.ts';
import { USER } from '../support/postgresql-address.ts';
import { identity } from '../support/postgresql-binaries.ts';
import { databaseOf } from '../support/postgresql-engine.ts';
import { codeOf, sqlOfTables } from './outcomes.ts';

const MiB = 1024 * 1024;

/** Twenty rows take longer than the test lets the server allow. */
const SLOW_PATCHES = `
  CREATE FUNCTION slow(bytea) RETURNS bytea LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.03); RETURN $1; END';
  CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.03); RETURN OLD; END';
  CREATE TRIGGER slow BEFORE DELETE ON sds_patches FOR EACH ROW EXECUTE FUNCTION take_time();`;
const SLOW_LOADS = `
  ALTER TABLE sds_patches RENAME TO kept;
  CREATE VIEW sds_patches AS SELECT store_id, clock, slow(data) AS data FROM kept;
  GRANT SELECT ON sds_patches TO PUBLIC;`;

/** Refuses the package's role with that code, until the trigger `refusal` is dropped; returns false where a server can't do so. */
async function refuseConnections(database: string, code: string): Promise<boolean> {
  const [version] = await server.query<{ number: number }>(
    "SELECT current_setting('server_version_num')::int AS number",
  );
  if ((version?.number ?? 0) < 170_000) return false; // it lets everybody in
  await server.query(
    `CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$
       BEGIN IF session_user = '${USER}' THEN RAISE 'no room' USING ERRCODE = '${code}'; END IF; END $$;
     CREATE EVENT TRIGGER refusal ON login EXECUTE FUNCTION refuse()`,
    undefined,
    database,
  );
  return true;
}

/** A hasty provider gives up; the calls of a patient one are carried out once `open` has made room. */
async function expectToWaitUntil(url: string, open: () => Promise<unknown>): Promise<void> {
  const hasty = new SDS_DesktopPersistenceProvider(url, 'hasty', { RetryForMs: 300 });
  onTestFinished(() => hasty.close());
  await expect(hasty.appendPatch(patchOf(1), 1)).rejects.toMatchObject({ code: 'connection-failed' });
  await hasty.close();

  const patient = new SDS_DesktopPersistenceProvider(url, 'patient');
  onTestFinished(() => patient.close());
  const waiting = patient.appendPatch(patchOf(1), 1);
  await expect(Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 200, 'waits'))])).resolves.toBe(
    'waits',
  );
  await open();
  await waiting;
  expect((await postgresql.rowsOf(url)).patches).toMatchObject([{ store_id: 'patient' }]);
}

describeOnPostgresql('trouble at the server', () => {
  it.each([
    ['too many connections', 'CONNECTION LIMIT 0', 'CONNECTION LIMIT 10'],
    ['a database that takes no connections', 'ALLOW_CONNECTIONS false', 'ALLOW_CONNECTIONS true'],
  ])('%s: calls wait for as long as RetryForMs says, and are carried out once there is room', async (_, shut, open) => {
    const url = await ownPlace();
    await server.query(`ALTER DATABASE ${databaseOf(url)} ${shut}`);
    await expectToWaitUntil(url, () => server.query(`ALTER DATABASE ${databaseOf(url)} ${open}`));
  });

  it.each([
    ['a server without memory', '53200'],
    ['a pooler whose limit is reached', 'XX000'],
    ['a pooler without a server', '58000'],
  ])('%s refuses a connection: the same', async (_, code) => {
    const url = await ownPlace();
    const database = databaseOf(url);
    if (!(await refuseConnections(database, code))) return;
    await expectToWaitUntil(url, () => server.query('DROP EVENT TRIGGER refusal', [], database));
  });

  it('a trigger of the operator forbids to log in: open-failed at once', async () => {
    const url = await ownPlace();
    if (!(await refuseConnections(databaseOf(url), 'P0001'))) return;
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', { RetryForMs: 60_000 });
    onTestFinished(() => provider.close());
    await expect(provider.appendPatch(patchOf(1), 1)).rejects.toMatchObject({ code: 'open-failed' });
  });

  it.each(['53200', '55000', '58000', 'XX000'])(
    '%s refuses whoever asks what a silent connection does: that one waits on for its lock',
    async (code) => {
      const { proxy, url, database } = await proxiedPlace();
      const provider = new SDS_DesktopPersistenceProvider(url, 'store', {
        Acknowledge: 'committed',
        BusyTimeoutMs: 60_000,
        RetryForMs: 2000,
      });
      onTestFinished(() => provider.close());
      await provider.appendPatch(patchOf(1), 1);
      if (!(await refuseConnections(database, code))) return;
      const other = await server.connect(database);
      onTestFinished(() => other.end());
      await other.query('BEGIN; LOCK sds_patches IN EXCLUSIVE MODE');
      const { made } = proxy;
      const append = provider.appendPatch(patchOf(2), 2);
      await expect.poll(() => proxy.made, { timeout: 30_000 }).toBeGreaterThan(made + 1);
      await other.query('COMMIT');
      await append;
    },
  );

  it('tables that another program has locked: database-busy after BusyTimeoutMs, or after a statement timeout', async () => {
    const url = await ownPlace();
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', { Acknowledge: 'committed', BusyTimeoutMs: 300 });
    onTestFinished(() => provider.close());
    await provider.appendPatch(patchOf(1), 1);
    const other = await server.connect(databaseOf(url));
    onTestFinished(() => other.end());
    await other.query('BEGIN; LOCK TABLE sds_patches IN ACCESS EXCLUSIVE MODE');
    const calls = [provider.appendPatch(patchOf(2), 2), provider.saveValue('hash', patchOf(3))];
    expect((await Promise.allSettled(calls)).map(codeOf)).toContain('database-busy');
    await other.query('ROLLBACK');
    await provider.appendPatch(patchOf(4), 4);
    await provider.close();

    await server.query(`ALTER DATABASE ${databaseOf(url)} SET statement_timeout = '300ms'`);
    const patient = new SDS_DesktopPersistenceProvider(url, 'store', { BusyTimeoutMs: 1000 });
    onTestFinished(() => patient.close());
    await patient.ready();
    await other.query('BEGIN; LOCK TABLE sds_patches IN ACCESS EXCLUSIVE MODE');
    await expect(patient.appendPatch(patchOf(5), 5)).rejects.toMatchObject({ code: 'database-busy' });
    await other.query('ROLLBACK');
    await patient.appendPatch(patchOf(6), 6);
    expect((await postgresql.rowsOf(url)).patches.map(({ clock }) => clock)).toEqual([1, 4, 6]);
  });

  it('a transaction that takes longer than the server allows: it is tried again for as long as BusyTimeoutMs says, as a statement is', async ({
    skip,
  }) => {
    const url = await ownPlace();
    const settings = await server.query("SELECT FROM pg_settings WHERE name = 'transaction_timeout'");
    if (settings.length === 0) skip('it came with PostgreSQL 17');
    // not for whoever keeps it waiting
    await server.query(`ALTER ROLE "${USER}" IN DATABASE ${databaseOf(url)} SET transaction_timeout = '300ms'`);
    const [hasty, patient] = [0, 60_000].map((BusyTimeoutMs) => {
      const provider = new SDS_DesktopPersistenceProvider(url, `store ${BusyTimeoutMs}`, { BusyTimeoutMs });
      onTestFinished(() => provider.close());
      return provider;
    });
    await Promise.all([hasty?.ready(), patient?.ready()]);
    const other = await otherProgram(url);
    await other.run('LOCK TABLE sds_patches IN ACCESS EXCLUSIVE MODE');
    const waiting = () => server.waitingForLock(databaseOf(url));
    const call = patient?.appendPatch(patchOf(1), 1);
    await expect.poll(waiting).toHaveLength(1);
    const [first] = await waiting();
    // another connection waits: the first one was ended
    await expect.poll(async () => (await waiting()).some(({ pid }) => pid !== first?.pid)).toBe(true);
    await other.run('ROLLBACK');
    await call;
    expect((await postgresql.rowsOf(url)).patches).toHaveLength(1);

    await patient?.close(); // the providers of a database wait as long as the most patient one
    await other.run('BEGIN; LOCK TABLE sds_patches IN ACCESS EXCLUSIVE MODE');
    await expect(hasty?.appendPatch(patchOf(2), 2)).rejects.toMatchObject({ code: 'database-busy' });
    await other.run('ROLLBACK');
    // by another connection, which takes the time it needs
    await server.query(`ALTER ROLE "${USER}" IN DATABASE ${databaseOf(url)} RESET transaction_timeout`);
    const ofProvider = "FROM pg_stat_activity WHERE datname = $1 AND application_name = 'sds-persistence-worker'";
    await server.query(`SELECT pg_terminate_backend(pid) ${ofProvider}`, [databaseOf(url)]);
    await hasty?.appendPatch(patchOf(3), 3);
  });

  it('a store that takes longer to load and to delete than the server allows is loaded, pruned, compacted and removed', async () => {
    const url = await ownPlace();
    const database = databaseOf(url);
    await sqlOfTables(url);
    await server.query(SLOW_PATCHES, [], database);
    await limitTimes(database, '300ms');
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', { Acknowledge: 'committed' });
    onTestFinished(() => provider.close());
    const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
    const appendAll = (clocks: number[]) =>
      Promise.all(clocks.map((clock) => provider.appendPatch(patchOf(clock), clock)));
    await appendAll(numbers(1, 40));
    await server.query(SLOW_LOADS, [], database);
    expect(await provider.loadPatchesSince(20)).toEqual(numbers(21, 40).map(patchOf));
    const found = await provider.loadStore();
    expect(found.Patches).toEqual(numbers(1, 40).map(patchOf));
    await server.query('DROP VIEW sds_patches; ALTER TABLE kept RENAME TO sds_patches', [], database);

    await provider.prunePatches(21);
    expect(await provider.compactStore(patchOf('all'), await provider.loadStore())).toBe(true);
    expect((await postgresql.rowsOf(url)).patches).toEqual([]);
    await appendAll(numbers(41, 60));
    await provider.removeStore();
    expect(await postgresql.rowsOf(url)).toMatchObject({ patches: [], snapshots: [] });
  });

  it('a deadlock with another program: the transaction is undone and carried out again, and nobody hears of it', async () => {
    const url = await ownPlace();
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', {
      Acknowledge: 'committed',
      BusyTimeoutMs: 60_000,
    });
    onTestFinished(() => provider.close());
    await provider.saveValue('before', patchOf('before'));
    const [first, middle, last] = await Promise.all([otherProgram(url), otherProgram(url), otherProgram(url)]);
    // not this one is to be the victim: it does not look for a deadlock in time
    await last.run("SET deadlock_timeout = '1min'");

    await first.run("SELECT FROM sds_values WHERE hash = 'before' FOR UPDATE");
    await middle.run(insertionOf(2));
    await last.run(insertionOf(3));
    const before = provider.saveValue('before', patchOf('before'));
    await expect.poll(first.isWaitedFor).toBe(true);
    // they gather behind the one that waits, and are one call: tried alone, it would be the same transaction
    const calls = [1, 2, 3].map((clock) => provider.appendPatch(patchOf(clock), clock));
    expect(new Set(calls).size).toBe(1);
    await first.run('ROLLBACK');
    await expect.poll(middle.isWaitedFor).toBe(true); // it has stored 1
    const waiting = last.run(insertionOf(1));
    await expect.poll(last.waits).toBe(true);
    await middle.run('ROLLBACK'); // it has stored 1 and 2, waits for 3, and there is the deadlock
    await expect(waiting).resolves.toBeDefined(); // so the provider's transaction is undone
    await last.run('ROLLBACK');
    await Promise.all([before, ...calls]);
    const { patches, blobs } = await postgresql.rowsOf(url);
    expect(patches.map(({ clock }) => clock)).toEqual([1, 2, 3]);
    expect(blobs).toMatchObject([{ ref_count: 2 }]);
  });

  it.each(['repeatable read', 'serializable'])(
    'a transaction that is %s, and meets a change: the same',
    async (level) => {
      const url = await ownPlace();
      await server.query(`ALTER DATABASE ${databaseOf(url)} SET default_transaction_isolation = '${level}'`);
      const provider = new SDS_DesktopPersistenceProvider(url, 'store', { Acknowledge: 'committed' });
      onTestFinished(() => provider.close());
      await provider.saveValue('value', patchOf('value'));
      const other = await otherProgram(url);
      await other.run('UPDATE sds_values SET ref_count = 10');
      const call = provider.saveValue('value', patchOf('value'));
      await expect.poll(other.isWaitedFor).toBe(true);
      await other.run('COMMIT');
      await call;
      expect((await postgresql.rowsOf(url)).blobs).toMatchObject([{ ref_count: 11 }]);
    },
  );

  it('a database that takes no writes: read-only, and written again when it does', async () => {
    const url = await ownPlace();
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', { RetryForMs: 1000 });
    onTestFinished(() => provider.close());
    await provider.appendPatch(patchOf(1), 1);
    await provider.close();
    await server.query(`ALTER DATABASE ${databaseOf(url)} SET default_transaction_read_only = on`);
    const next = new SDS_DesktopPersistenceProvider(url, 'store', { RetryForMs: 1000 });
    onTestFinished(() => next.close());
    await expect(next.appendPatch(patchOf(2), 2)).rejects.toMatchObject({ code: 'read-only' });
    await server.query(`ALTER DATABASE ${databaseOf(url)} RESET default_transaction_read_only`);
    await server.killBackends(databaseOf(url));
    await next.appendPatch(patchOf(3), 3);
    expect((await postgresql.rowsOf(url)).patches.map(({ clock }) => clock)).toEqual([1, 3]);
  });

  itOnOwnServer('a server that takes no writes from now on: read-only, since nothing was carried out', async () => {
    const own = await ownServer();
    const provider = new SDS_DesktopPersistenceProvider(own.url(await own.freshDatabase()), 'store', {
      RetryForMs: 1000,
    });
    onTestFinished(() => provider.close());
    await provider.appendPatch(patchOf(1), 1);
    await own.query('ALTER SYSTEM SET default_transaction_read_only = on');
    await own.query('SELECT pg_reload_conf()');
    const codes: string[] = [];
    const append = async () => {
      const [outcome] = await Promise.allSettled([provider.appendPatch(patchOf(codes.length + 2), codes.length + 2)]);
      codes.push(codeOf(outcome));
      return codes.at(-1);
    };
    // until the process of its connection has read that
    await expect.poll(append).not.toBe('carried out');
    expect(codes.at(-1)).toBe('read-only');
  });

  itOnOwnServer("a server that is told not to wait for its disk: it waits while a provider is 'full'", async () => {
    const own = await ownServer();
    const database = await own.freshDatabase();
    const open = (storeId: string, Durability: 'full' | 'normal') => {
      const provider = new SDS_DesktopPersistenceProvider(own.url(database), storeId, { Durability });
      onTestFinished(() => provider.close());
      return provider;
    };
    const full = open('full', 'full');
    await full.appendPatch(patchOf(1), 1);
    let clock = 3;
    await own.query(
      `CREATE TABLE how (store_id text, synchronous text);
       CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
         BEGIN INSERT INTO how VALUES (NEW.store_id, current_setting('synchronous_commit')); RETURN NEW; END $$;
       CREATE TRIGGER note BEFORE INSERT ON sds_patches FOR EACH ROW EXECUTE FUNCTION note()`,
      undefined,
      database,
    );
    const appended = async (provider: SDS_DesktopPersistenceProvider, clock: number) => {
      await provider.appendPatch(patchOf(clock), clock);
      const [row] = await own.query<{ synchronous: string }>('DELETE FROM how RETURNING synchronous', [], database);
      return row?.synchronous;
    };
    const set = async (value: string) => {
      await own.query(`ALTER SYSTEM SET synchronous_commit = ${value}`);
      await own.query('SELECT pg_reload_conf()');
      await expect
        .poll(async () => (await own.query('SHOW synchronous_commit', [], database))[0])
        .toEqual({
          synchronous_commit: value,
        });
    };
    await set('off');
    expect(await appended(full, 2)).toBe('on');
    expect(await full.loadPatchesSince(0)).toEqual([patchOf(1), patchOf(2)]);
    expect(await full.loadSnapshot()).toBeUndefined();
    await set('local');
    await expect.poll(() => appended(full, clock++)).toBe('local'); // as with a standby that is not waited for
    await set('off');
    const normal = open('normal', 'normal');
    expect(await appended(normal, 1)).toBe('on');
    await full.close();
    await expect.poll(() => appended(normal, clock++)).toBe('off');
  });

  it('a server that has no number left for a transaction: read-only, and no argument is at fault', async () => {
    const { proxy, url } = await proxiedPlace();
    const provider = new SDS_DesktopPersistenceProvider(url, 'store');
    onTestFinished(() => provider.close());
    await provider.appendPatch(patchOf(1), 1);
    const lost = proxy.loseAnswerTo({ sds_patches: 'COPY' }, false);
    const load = provider.loadPatchesSince(0);
    await lost;
    const message = 'database is not accepting commands that assign new transaction IDs';
    proxy.say(errorResponse({ severity: 'ERROR', code: '54000', message, routine: 'GetNewTransactionId' }));
    await expect(load).rejects.toMatchObject({ code: 'read-only', message: expect.stringContaining(message) });
    expect(await provider.loadPatchesSince(0)).toHaveLength(1);
  });

  it('a right, or a table, that one call lacks: it fails alone', async () => {
    const url = await ownPlace();
    const options: SDS_ProviderOptions = { Acknowledge: 'committed' };
    const [lacking, other] = ['lacking', 'other'].map((store) => {
      const provider = new SDS_DesktopPersistenceProvider(url, store, options);
      onTestFinished(() => provider.close());
      return provider;
    }) as [SDS_DesktopPersistenceProvider, SDS_DesktopPersistenceProvider];
    await Promise.all([lacking.ready(), other.ready()]);
    let clock = 0;
    const together = async (...calls: Promise<unknown>[]) => {
      clock++;
      return (await Promise.allSettled([...calls, other.appendPatch(patchOf(clock), clock)])).map(codeOf);
    };
    const set = (sql: string) => server.query(sql, undefined, databaseOf(url));
    await set(
      `ALTER TABLE sds_patches OWNER TO CURRENT_USER; GRANT SELECT, INSERT, UPDATE ON sds_patches TO "${USER}"`,
    );
    expect(await together(lacking.prunePatches(9))).toEqual(['read-only', 'carried out']);
    await set('ALTER TABLE sds_values RENAME TO old_values');
    const calls = [lacking.saveValue('value', patchOf(1)), lacking.prunePatches(9)];
    expect(await together(...calls)).toEqual(['schema-mismatch', 'read-only', 'carried out']);
    await set(`ALTER TABLE old_values RENAME TO sds_values; REVOKE INSERT ON sds_patches FROM "${USER}"`);
    expect(await together(lacking.saveValue('value', patchOf(1)))).toEqual(['carried out', 'read-only']);
  });

  it('policies that hide rows (row level security): read-only, instead of an answer with less', async () => {
    const url = await ownPlace();
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', { Acknowledge: 'committed' });
    onTestFinished(() => provider.close());
    await provider.appendPatch(patchOf(1), 1);
    await server.query(
      `ALTER TABLE sds_patches OWNER TO CURRENT_USER; GRANT ALL ON sds_patches TO "${USER}";
       ALTER TABLE sds_patches ENABLE ROW LEVEL SECURITY`,
      undefined,
      databaseOf(url),
    );
    const calls = [provider.loadPatchesSince(0), provider.loadStore(), provider.prunePatches(9)];
    expect((await Promise.allSettled(calls)).map(codeOf)).toEqual(['read-only', 'read-only', 'read-only']);
    await server.query('ALTER TABLE sds_patches DISABLE ROW LEVEL SECURITY', [], databaseOf(url));
    expect(await provider.loadPatchesSince(0)).toHaveLength(1);
  });

  itOnOwnServer(
    'its disk is full: database-full, what was acknowledged is there, and it goes on once there is room',
    async ({ annotate }) => {
      const disk = smallDisk();
      if (disk === undefined)
        return void (await annotate('a disk of its own can be mounted by root on Linux only', 'skipped'));
      const own = await ownServer();
      const space = join(disk, 'space');
      const filler = join(disk, 'filler');
      mkdirSync(space);
      const who = identity();
      if (who !== undefined) chownSync(space, who.uid, who.gid);
      await own.query(`CREATE TABLESPACE small LOCATION '${space}'`);
      await own.query(`CREATE DATABASE small OWNER "${USER}" TABLESPACE small`);
      writeFileSync(filler, Buffer.alloc(10 * MiB));
      const provider = new SDS_DesktopPersistenceProvider(own.url('small'), 'store');
      onTestFinished(() => provider.close());
      const acknowledged: number[] = [];
      let code = 'carried out';
      for (let clock = 1; code === 'carried out' && clock < 1000; clock++) {
        const [outcome] = await Promise.allSettled([provider.appendPatch(incompressible(clock), clock)]);
        code = codeOf(outcome);
        if (code === 'carried out') acknowledged.push(clock);
      }
      expect(code).toBe('database-full');
      rmSync(filler);
      await provider.appendPatch(patchOf('after'), 2000);
      const found = await provider.loadPatchesSince(0);
      expect(found.slice(0, -1).map((patch) => patch[0])).toEqual(acknowledged.map((clock) => clock & 255));
      expect(acknowledged.length).toBeGreaterThan(0);
    },
  );
});

/** Another program, in the middle of a transaction. */
async function otherProgram(url: string) {
  const client = await server.connect(databaseOf(url));
  onTestFinished(() => client.end());
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  await client.query('BEGIN');
  const asks = async (sql: string) => (await server.query(sql, [rows[0]?.pid])).length > 0;
  return {
    run: (sql: string) => client.query(sql),
    isWaitedFor: () => asks('SELECT FROM pg_stat_activity WHERE $1::int = ANY(pg_blocking_pids(pid))'),
    waits: () => asks('SELECT WHERE cardinality(pg_blocking_pids($1::int)) > 0'),
  };
}

const insertionOf = (clock: number) => `INSERT INTO sds_patches VALUES ('store', ${clock}, 'of another program')`;

/** The server compresses what it can. */
function incompressible(clock: number): Uint8Array {
  const bytes = randomBytes(100_000);
  bytes[0] = clock;
  return bytes;
}

/** A folder that is a small disk in memory; `undefined` where none can be made. */
function smallDisk(): string | undefined {
  const folder = freshFolder();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=40m,mode=755', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  onTestFinished(() => {
    execFileSync('umount', ['-l', folder]);
  });
  return folder;
}
