/** What somebody hears of a copy, how it is stopped, and what it leaves to others. */

import { existsSync } from 'node:fs';
import * as operations from 'sds-persistence-worker';
import {
  copyStores,
  SDS_DesktopPersistenceProvider,
  SDS_PersistenceError,
  verifyDatabase,
} from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { sqlOfTables } from '../postgresql/outcomes.ts';
import { command } from '../support/command-line.ts';
import { freshFile, freshFolder, patchOf } from '../support/files.ts';
import {
  describeOnPostgresql,
  itOnOwnServer,
  limitTimes,
  ownPlace,
  ownServer,
  postgresql,
  server,
} from '../support/postgresql.ts';
import { PASSWORD, USER } from '../support/postgresql-address.ts';
import { findBinaries, howToHaveIt } from '../support/postgresql-binaries.ts';
import { databaseOf } from '../support/postgresql-engine.ts';
import { startPair } from '../support/postgresql-standby.ts';
import { rowsOf } from '../support/rows.ts';
import { makeStoreFile } from '../support/store-files.ts';

/** Enough that it takes several transactions; each row that is compared takes time as well. */
const large = { patches: 400, patchBytes: 8000 };

interface Told {
  Phase: string;
  Done: number;
  Total: number;
  Stores?: number;
  StoresInAll?: number;
}

/** Twenty patches take longer to store, and once `SLOW_READING` is there to read, than the test lets the server allow. */
const SLOW_STORING = `
  CREATE FUNCTION slow(bytea) RETURNS bytea LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.03); RETURN $1; END';
  CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.03); RETURN NEW; END';
  CREATE TRIGGER slow BEFORE INSERT ON sds_patches FOR EACH ROW EXECUTE FUNCTION take_time();`;
const SLOW_READING = `
  ALTER TABLE sds_patches RENAME TO kept;
  CREATE VIEW sds_patches AS SELECT store_id, clock, slow(data) AS data FROM kept;
  GRANT SELECT ON sds_patches TO PUBLIC;`;
/** Values are read while those of the target are written. */
const CANCELLED_READING = `
  CREATE FUNCTION cancel(bytea) RETURNS bytea STABLE LANGUAGE plpgsql AS
    $$ BEGIN RAISE 'canceling statement due to conflict with recovery' USING ERRCODE = '40001'; END $$;
  ALTER TABLE sds_values RENAME TO kept;
  CREATE VIEW sds_values AS SELECT hash, ref_count, size, version, cancel(data) AS data FROM kept;
  GRANT SELECT ON sds_values TO PUBLIC;`;

/** As if so many of the first transactions that write patches were victims of a deadlock. */
const undone = (times: number) => `
  CREATE SEQUENCE tries;
  CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    IF nextval('tries') <= ${times} THEN RAISE 'deadlock detected' USING ERRCODE = '40P01'; END IF;
    RETURN NULL;
  END $$;
  CREATE CONSTRAINT TRIGGER undo AFTER INSERT ON sds_patches DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION undo();`;
/** As if an index did not lead to the rows of a store: they are counted, and not found by the store's name. */
const notFoundByName = (table: string) => `
  ALTER TABLE ${table} RENAME TO kept;
  CREATE VIEW ${table} AS SELECT * FROM kept WHERE store_id <> 'notes' OR current_query() NOT LIKE '%ANY(%';
  GRANT SELECT ON ${table} TO PUBLIC;`;

describeOnPostgresql('a copy', () => {
  it('reads as a role that may only read', async () => {
    const [source, url, file] = [makeStoreFile(freshFile()), await ownPlace(), freshFile()];
    await copyStores(source, url);
    await server.query(`ALTER ROLE "${USER}" IN DATABASE ${databaseOf(url)} SET default_transaction_read_only = on`);
    await copyStores(url, file);
    expect(rowsOf(file)).toEqual(rowsOf(source));
    await expect(copyStores(source, url)).rejects.toMatchObject({ code: 'read-only' });
  });

  itOnOwnServer('reads from a standby, unless there is a host that takes writes', async () => {
    const binaries = findBinaries();
    if (binaries === undefined) throw new Error(howToHaveIt);
    const { primary, standby } = await startPair(binaries);
    onTestFinished(async () => {
      await standby.remove();
      await primary.remove();
    });
    const [source, newest] = [makeStoreFile(freshFile()), freshFile()];
    const database = await primary.freshDatabase();
    await copyStores(source, primary.url(database));
    const [late] = await primary.query<{ lsn: string }>('SELECT pg_current_wal_lsn() AS lsn');
    const caughtUp = () => standby.query('SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS so', [late?.lsn]);
    await expect.poll(caughtUp).toEqual([{ so: true }]);
    await standby.query('SELECT pg_wal_replay_pause()');
    const provider = new SDS_DesktopPersistenceProvider(primary.url(database), 'new');
    await provider.appendPatch(patchOf(1), 1);
    await provider.close();

    const lagging = freshFile();
    await copyStores(standby.url(database), lagging);
    expect(rowsOf(lagging)).toEqual(rowsOf(source));
    await copyStores(primary.url(database).replace('@', `@127.0.0.1:${standby.port},`), newest);
    expect(rowsOf(newest).patches).toContainEqual(expect.objectContaining({ store_id: 'new' }));
  });

  it('takes as long as it takes, whatever the limits of the server on statements and transactions', async () => {
    const file = freshFile();
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    for (let clock = 1; clock <= 20; clock++) void provider.appendPatch(patchOf(clock), clock);
    await provider.close();
    const url = await ownPlace();
    const database = databaseOf(url);
    await sqlOfTables(url);
    await server.query(SLOW_STORING, [], database);
    await limitTimes(database, '300ms');
    expect(await copyStores(file, url)).toMatchObject({ Patches: 20 });
    await server.query(SLOW_READING, [], database);
    expect(await copyStores(url, freshFile())).toMatchObject({ Patches: 20 });
  });

  it('from a server that cancels a read, as a standby does that must go on, says so, and names that server', async () => {
    const [url, target] = [await ownPlace(), await postgresql.freshPlace()];
    await copyStores(makeStoreFile(freshFile()), url);
    await server.query(CANCELLED_READING, [], databaseOf(url));
    await expect(copyStores(url, target)).rejects.toMatchObject({
      code: 'database-busy',
      message: expect.stringMatching(new RegExp(`${databaseOf(url)} on .* try again`)),
      cause: { code: '40001' },
    });
  });

  it('is carried out again where the server had to undo it', async () => {
    const [source, url] = [makeStoreFile(freshFile()), await ownPlace()];
    await sqlOfTables(url);
    await server.query(undone(2), [], databaseOf(url));
    await copyStores(source, url);
    expect(await postgresql.rowsOf(url)).toEqual(rowsOf(source));
  });

  it('that the server has to undo again and again ends, after ten attempts', async () => {
    const url = await ownPlace();
    await sqlOfTables(url);
    await server.query(undone(20), [], databaseOf(url));
    await expect(copyStores(makeStoreFile(freshFile()), url)).rejects.toMatchObject({
      code: 'database-busy',
      cause: { code: '40P01' },
    });
    expect(await server.query('SELECT last_value FROM tries', [], databaseOf(url))).toEqual([{ last_value: '10' }]);
  });

  it.each(['patches', 'records'])('is not made where not all %s of a store are found by its name', async (what) => {
    const [url, target] = [await ownPlace(), freshFile()];
    const provider = new SDS_DesktopPersistenceProvider(url, 'notes');
    void provider.appendPatch(patchOf(1), 1);
    void provider.saveRecord('key', patchOf(1));
    await provider.close();
    await server.query(notFoundByName(`sds_${what}`), [], databaseOf(url));
    await expect(copyStores(url, target)).rejects.toMatchObject({
      code: 'database-corrupt',
      message: expect.stringContaining(`not all ${what} of the store "notes" can be found by its name`),
    });
    expect(existsSync(target)).toBe(false);
  });

  it('tells how far it is, from nothing to all of it', async () => {
    const url = await postgresql.freshPlace();
    const told: Told[] = [];
    await copyStores(makeStoreFile(freshFile(), large), url, { OnProgress: (progress) => told.push(progress) });
    const copying = told.filter(({ Phase }) => Phase === 'copy');
    const Total = 2 * large.patches * large.patchBytes + 5000 + 21;
    expect(copying.at(-1)).toEqual({ Phase: 'copy', Done: Total, Total, Unit: 'bytes', Stores: 2, StoresInAll: 2 });
    expect(copying.length).toBeGreaterThan(2);
    expect(copying.map(({ Done }) => Done)).toEqual(copying.map(({ Done }) => Done).sort((a, b) => a - b));
    expect(copying).toHaveLength(told.length);
  });

  it('tells so while it waits for the server, too, and can be stopped there', async () => {
    const url = await postgresql.freshPlace();
    await copyStores(makeStoreFile(freshFile()), url);
    const client = await server.connect(databaseOf(url));
    await client.query('BEGIN; LOCK TABLE sds_patches IN ACCESS EXCLUSIVE MODE');
    const control = new AbortController();
    const reason = new Error('enough');
    let times = 0;
    const stopped = copyStores(makeStoreFile(freshFile(), large), url, {
      Overwrite: true,
      Signal: control.signal,
      OnProgress: () => {
        if (++times === 5) control.abort(reason);
      },
    });
    await expect(stopped).rejects.toBe(reason);
    await client.end();
  });

  it('of a database whose policies hide rows (row level security) is refused, and so is one to it', async () => {
    const url = await ownPlace();
    await copyStores(makeStoreFile(freshFile()), url);
    await server.query(
      `ALTER TABLE sds_patches OWNER TO CURRENT_USER; GRANT ALL ON sds_patches TO "${USER}";
       ALTER TABLE sds_patches ENABLE ROW LEVEL SECURITY; CREATE POLICY later ON sds_patches USING (clock > 1)`,
      undefined,
      databaseOf(url),
    );
    await expect(copyStores(url, freshFile())).rejects.toMatchObject({ code: 'read-only' });
    const again = copyStores(makeStoreFile(freshFile()), url, { Overwrite: true });
    await expect(again).rejects.toMatchObject({ code: 'read-only' });
  });

  itOnOwnServer('can be stopped when the server says nothing at all', async () => {
    const own = await ownServer();
    const url = own.url(await own.freshDatabase());
    const control = new AbortController();
    const reason = new Error('enough');
    const stopped = copyStores(makeStoreFile(freshFile(), large), url, {
      Signal: control.signal,
      OnProgress: ({ Done }) => {
        if (Done === 0 || control.signal.aborted) return;
        own.halt('SIGSTOP');
        control.abort(reason);
      },
    });
    await expect(stopped).rejects.toBe(reason);
    own.halt('SIGCONT');
  });

  it('that was stopped keeps nobody from the stores, and is finished by another call', async () => {
    const url = await postgresql.freshPlace();
    const source = makeStoreFile(freshFile(), large);
    const control = new AbortController();
    const OnProgress = ({ Done }: Told) => (Done > 0 ? control.abort() : undefined);
    await expect(copyStores(source, url, { Signal: control.signal, OnProgress })).rejects.toThrow('aborted');
    const claims = await server.query('SELECT FROM sds_claims', [], databaseOf(url));
    expect(claims).toEqual([]);
    await copyStores(source, url);
    expect(await postgresql.rowsOf(url)).toEqual(rowsOf(source));
  });

  it('leaves a store alone that a provider has open', async () => {
    const url = await postgresql.freshPlace();
    const source = makeStoreFile(freshFile(), large);
    const provider = new SDS_DesktopPersistenceProvider(url, 'tasks');
    await provider.saveValue('hash', patchOf('value'));
    const before = await postgresql.rowsOf(url);
    await expect(copyStores(source, url, { Overwrite: true })).rejects.toMatchObject({
      code: 'fenced',
      message: expect.stringContaining('"tasks" is open in a provider, of this process or another'),
    });
    expect(await postgresql.rowsOf(url)).toEqual(before);
    await provider.close();
    await copyStores(source, url);
    const { blobs, ...rows } = await postgresql.rowsOf(url);
    expect({ ...rows, blobs: [] }).toEqual({ ...rowsOf(source), blobs: [] });
    expect(blobs).toHaveLength(4);
    expect(blobs).toEqual(expect.arrayContaining([...before.blobs, ...rowsOf(source).blobs]));
  });

  it('also one that is opened after the copy has begun, if stores are to be replaced as well', async () => {
    const url = await postgresql.freshPlace();
    const database = databaseOf(url);
    await using other = new SDS_DesktopPersistenceProvider(url, 'other');
    await other.ready(); // it has found the tables
    const source = makeStoreFile(freshFile());
    const client = await server.connect(database);
    // values are copied before the stores
    await client.query(`BEGIN; INSERT INTO sds_values VALUES ('${rowsOf(source).blobs[0]?.hash}', 1, '', 0, '')`);
    const copied = copyStores(source, url, { Overwrite: true });
    const failed = expect(copied).rejects.toMatchObject({ code: 'fenced' });
    await expect.poll(() => server.waitingForLock(database)).not.toEqual([]);
    await using provider = new SDS_DesktopPersistenceProvider(url, 'notes', { Acknowledge: 'committed' });
    await provider.appendPatch(patchOf(1), 1);
    await client.query('ROLLBACK');
    await client.end();
    await failed;
    expect((await postgresql.rowsOf(url)).patches).toMatchObject([{ store_id: 'notes', clock: 1 }]);
  });

  it('and keeps providers from what it is just copying: they find a store whole, with its values, or not at all', async () => {
    const url = await postgresql.freshPlace();
    const source = makeStoreFile(freshFile(), large);
    const seen: unknown[] = [];
    const looks: Promise<unknown>[] = [];
    const look = async () => {
      await using provider = new SDS_DesktopPersistenceProvider(url, 'notes', { BusyTimeoutMs: 50_000 });
      const patches = await provider.loadPatchesSince(0);
      const value = patches.length === 0 ? undefined : await provider.loadValue(String(rowsOf(source).blobs[0]?.hash));
      seen.push([patches.length, value !== undefined]);
    };
    await copyStores(source, url, {
      OnProgress({ Done }) {
        if (Done > 0) looks.push(look());
      },
    }).catch((error: unknown) => seen.push((error as { code?: string }).code));
    await Promise.all(looks);
    expect(seen.length).toBeGreaterThan(0);
    for (const one of seen) expect([[0, false], [large.patches, true], 'fenced']).toContainEqual(one);
  });

  it('takes a store over whose owner is dead', async () => {
    const url = await postgresql.freshPlace();
    const source = makeStoreFile(freshFile());
    const provider = new SDS_DesktopPersistenceProvider(url, 'other');
    await provider.ready();
    await provider.close();
    const database = databaseOf(url);
    await server.query(
      "INSERT INTO sds_holders VALUES ('somebody', 0, clock_timestamp(), false, 0, 0); INSERT INTO sds_stores VALUES ('tasks', false); INSERT INTO sds_claims VALUES ('tasks', 'somebody', 0)",
      undefined,
      database,
    );
    await copyStores(source, url);
    expect(await postgresql.rowsOf(url)).toEqual(rowsOf(source));
    const [dead] = await server.query("SELECT fenced FROM sds_holders WHERE session = 'somebody'", [], database);
    expect(dead).toEqual({ fenced: true });
    expect(await server.query('SELECT FROM sds_claims', [], database)).toEqual([]);
  });

  it('says what is wrong with a URL, a password, a database, without telling any of them', async () => {
    const source = makeStoreFile(freshFile());
    const database = databaseOf(await postgresql.freshPlace());
    const wrong: [string, string][] = [
      [server.url(database, { password: 'Sec/ret' }), 'open-failed'],
      [server.url('no_such_database'), 'open-failed'],
      [server.url(database, { port: 1 }), 'connection-failed'],
      [`postgres://${USER}:Sec%ret@127.0.0.1/${database}`, 'invalid-argument'],
      [server.url(database, { parameters: 'sslmode=perhaps' }), 'invalid-argument'],
    ];
    for (const [url, code] of wrong) {
      for (const copy of [() => copyStores(source, url), () => copyStores(url, freshFile())]) {
        const error = (await copy().catch((thrown: unknown) => thrown)) as Error;
        expect(error).toBeInstanceOf(SDS_PersistenceError);
        expect(error).toMatchObject({ code });
        expect(`${error.message} ${error.cause} ${error.stack}`).not.toMatch(/postgres(ql)?:|Sec|Pass/);
      }
    }
  });

  it('is for the command line, too', async () => {
    const cwd = freshFolder();
    const source = makeStoreFile(`${cwd}/notes.db`);
    const url = await postgresql.freshPlace();
    const withoutPassword = url.replace(encodeURIComponent(PASSWORD), '');
    const env = { PGPASSWORD: PASSWORD };
    const there = await command(['copy', 'notes.db', withoutPassword], { cwd, env });
    expect(there).toMatchObject({ stderr: '', exitCode: 0 });
    expect(there.stdout).toMatch(
      /^'notes\.db' copied into 'PostgreSQL database fresh_\w+ on 127\.0\.0\.1:\d+': 2 stores, 1 snapshot, 60 patches, 3 values, .*\n$/,
    );
    const back = await command(['copy', '--json', url, 'back.db'], { cwd });
    expect(back).toMatchObject({ stderr: '', exitCode: 0 });
    expect(rowsOf(`${cwd}/back.db`)).toEqual(rowsOf(source));
    const failed = await command(['copy', url, 'back.db'], { cwd });
    expect(failed.exitCode).toBe(1);
    expect(failed.stderr).toMatch(/the store "notes" is there already/);
    for (const { stdout, stderr } of [there, back, failed]) expect(stdout + stderr).not.toMatch(/postgres:|Pass/);
  });
});

it('operations that are for files say so of a URL, and what to use', async () => {
  const url = 'postgres://somebody:secret@127.0.0.1/database';
  const { backupDatabase, compactDatabase, describeDatabase, restoreDatabase } = operations;
  const works = [
    () => backupDatabase(url, freshFile()),
    () => backupDatabase(makeStoreFile(freshFile()), url),
    () => restoreDatabase(makeStoreFile(freshFile()), url),
    () => verifyDatabase(url),
    () => compactDatabase(url),
    () => describeDatabase(url),
  ];
  for (const work of works) {
    const error = (await work().catch((thrown: unknown) => thrown)) as Error;
    expect(error).toMatchObject({ code: 'invalid-argument' });
    expect(error.message).toMatch(/pg_dump/);
    expect(error.message).not.toMatch(/somebody|secret|127/);
  }
});

it('commands that are for files do, too; schema prints the tables', async () => {
  const url = 'postgres://somebody:secret@127.0.0.1/database';
  for (const args of [['info'], ['verify'], ['compact'], ['watch'], ['backup'], ['restore']]) {
    const more = ['backup', 'restore'].includes(args[0] ?? '') ? ['to.db'] : [];
    const { stderr, stdout, exitCode } = await command([...args, url, ...more], { cwd: freshFolder() });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/pg_dump/);
    expect(stderr + stdout).not.toMatch(/somebody|secret|postgres:/);
  }
  const { stdout, exitCode } = await command(['schema']);
  expect({ stdout, exitCode }).toEqual({ stdout: operations.postgresqlSchema, exitCode: 0 });
});
