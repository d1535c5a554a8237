/** Stores that are copied from files into a PostgreSQL database, and back. */
import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { copyStores, postgresqlSchema } from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { differenceOf } from '../../torture/database-rows.ts';
import { makeOddFile, makeRandomFile } from '../support/copied-files.ts';
import { freshFile, freshFolder } from '../support/files.ts';
import { describeOnPostgresql, ownPlace, placeWithoutCopy, postgresql, server } from '../support/postgresql.ts';
import { USER } from '../support/postgresql-address.ts';
import { databaseOf } from '../support/postgresql-engine.ts';
import { linesOf, type Rows, rowsOf } from '../support/rows.ts';
import { makeStoreFile, recordsTable } from '../support/store-files.ts';

/** Lists of thousands of lines, quicker than by `toEqual`. */
function expectSame(found: Rows, wanted: Rows): void {
  expect(differenceOf(linesOf(found), linesOf(wanted))).toBeUndefined();
}

function changeFile(dbPath: string, sql: string): void {
  const database = new DatabaseSync(dbPath);
  database.exec(sql);
  database.close();
}

/** What a copy has no use for once it has ended. */
async function leftIn(url: string): Promise<unknown> {
  const [row] = await server.query(
    'SELECT (SELECT count(*)::int FROM sds_copies) AS copies, (SELECT count(*)::int FROM sds_claims) AS claims, ' +
      '(SELECT count(*)::int FROM sds_holders) AS holders',
    [],
    databaseOf(url),
  );
  return row;
}
const nothing = { copies: 0, claims: 0, holders: 0 };

/** A database with the tables of an operator, and something of his own besides. */
async function placeWith(sql: string): Promise<string> {
  const url = await ownPlace();
  await server.query(`SET ROLE "${USER}"; ${postgresqlSchema} ${sql}`, undefined, databaseOf(url));
  return url;
}

/** As a server answers that may only use what FIPS 140 approves. */
const withoutMd5 = ['bytea', 'text']
  .map(
    (type) =>
      `CREATE FUNCTION md5(${type}) RETURNS text LANGUAGE plpgsql AS ` +
      "$$ BEGIN RAISE 'could not compute MD5 hash: unsupported'; END $$; ",
  )
  .concat(
    "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$",
  )
  .join('');

describeOnPostgresql('copying stores', () => {
  it.each([
    ['what random calls have left', (path: string) => makeRandomFile(path, 5)],
    ['what is rare', async (path: string) => makeOddFile(path)],
    ['of more values than are read at a time', async (path: string) => makeStoreFile(path, { values: 5000 })],
  ])('%s comes back as it was', { timeout: 300_000 }, async (_, make) => {
    const source = await make(freshFile());
    const rows = rowsOf(source);
    const url = await postgresql.freshPlace();
    const there = await copyStores(source, url);
    expectSame(await postgresql.rowsOf(url), rows);
    expect(there).toMatchObject({
      Snapshots: rows.snapshots.length,
      Patches: rows.patches.length,
      Records: rows.records.length,
      Values: rows.blobs.length,
    });
    expect(await leftIn(url)).toEqual(nothing);
    const again = await postgresql.freshPlace();
    await copyStores(url, again);
    expectSame(await postgresql.rowsOf(again), rows);
    const back = join(freshFolder(), 'back.db');
    expect(await copyStores(again, back)).toMatchObject({ ...there, Path: back, DurationMs: expect.any(Number) });
    expectSame(rowsOf(back), rows);
  });

  it('all comes from a server that has no COPY in binary form, and goes there', async () => {
    const source = makeStoreFile(freshFile(), { sql: 'UPDATE snapshots SET data = randomblob(1000000)' });
    const url = await placeWithoutCopy();
    await copyStores(source, url);
    const back = join(freshFolder(), 'back.db');
    await copyStores(url, back);
    expectSame(rowsOf(back), rowsOf(source));
  });

  it('of a file in which nothing can be read, nothing is left at the server', async () => {
    const source = makeStoreFile(freshFile(), { patches: 1, values: 0, sql: 'DELETE FROM snapshots' });
    truncateSync(source, 4096); // to the page that names the tables
    const url = await ownPlace();
    const copied = copyStores(source, url, { Salvage: true });
    await expect(copied).rejects.toMatchObject({
      code: 'database-corrupt',
      message: expect.stringContaining('nothing that is in this file can be read'),
    });
    const sql = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    expect(await server.query(sql, [], databaseOf(url))).toEqual([]);
  });

  it('several files are copied into one database, and values that several have get the references of all', async () => {
    const one = makeStoreFile(freshFile(), {
      sql: "DELETE FROM snapshots; DELETE FROM patches WHERE store_id = 'notes'",
    });
    const two = makeStoreFile(freshFile(), {
      sql: "DELETE FROM patches WHERE store_id = 'tasks'; UPDATE blobs SET ref_count = 4",
    });
    const three = await makeRandomFile(freshFile(), 8);
    const url = await postgresql.freshPlace();
    const { Stores } = await copyStores([one, two, three], url);
    const ofThree = rowsOf(three);
    const rows = [...ofThree.patches, ...ofThree.snapshots, ...ofThree.records];
    expect(Stores).toBe(2 + new Set(rows.map(({ store_id }) => store_id)).size);
    const file = join(freshFolder(), 'all.db');
    await copyStores([one, two, three], file);
    expectSame(await postgresql.rowsOf(url), rowsOf(file));
    const { patches, snapshots, blobs } = rowsOf(file);
    expect(patches).toHaveLength(60 + ofThree.patches.length);
    expect(snapshots).toHaveLength(1 + ofThree.snapshots.length);
    const shared = rowsOf(one).blobs.map(({ hash }) => hash);
    expect(blobs.filter(({ hash }) => shared.includes(hash)).map(({ ref_count }) => ref_count)).toEqual([5, 5, 5]);
  });

  it('needs no rights but those on the rows', async () => {
    const url = await ownPlace();
    await server.query(
      `${postgresqlSchema} GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "${USER}"; REVOKE INSERT, UPDATE, DELETE ON sds_schema FROM "${USER}"`,
      undefined,
      databaseOf(url),
    );
    const source = makeStoreFile(freshFile());
    await copyStores(source, url);
    expect(await postgresql.rowsOf(url)).toEqual(rowsOf(source));
  });

  it('a store that two sources have is an error, and so is one that none has', async () => {
    const [one, two] = [makeStoreFile(freshFile()), makeStoreFile(freshFile())];
    const url = await postgresql.freshPlace();
    await expect(copyStores([one, two], url)).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining('is in'),
    });
    await expect(copyStores([one, two], url, { Stores: ['no such'] })).rejects.toThrow('no store "no such"');
    expect(await postgresql.rowsOf(url)).toEqual({ patches: [], snapshots: [], blobs: [], records: [] });
  });

  it('some stores, without the values', async () => {
    const url = await postgresql.freshPlace();
    await copyStores(makeStoreFile(freshFile()), url, { Stores: ['tasks'], Values: false });
    const { patches, snapshots, blobs } = await postgresql.rowsOf(url);
    expect(patches.map(({ store_id }) => store_id)).toEqual(new Array(30).fill('tasks'));
    expect([...snapshots, ...blobs]).toEqual([]);
  });

  it('a store that is there already is replaced only if asked for, and else nothing is copied', async () => {
    const url = await postgresql.freshPlace();
    const other = makeStoreFile(freshFile(), {
      sql: "DELETE FROM blobs; DELETE FROM snapshots; DELETE FROM patches; INSERT INTO patches VALUES ('tasks', 99, x'00')",
    });
    await copyStores(other, url);
    const before = await postgresql.rowsOf(url);
    const source = makeStoreFile(freshFile());
    await expect(copyStores(source, url)).rejects.toMatchObject({ code: 'file-exists' });
    expect(await postgresql.rowsOf(url)).toEqual(before);
    await copyStores(source, url, { Overwrite: true });
    expect(await postgresql.rowsOf(url)).toEqual(rowsOf(source));
    await copyStores(source, url, { Overwrite: true });
    expect((await postgresql.rowsOf(url)).blobs.map(({ ref_count }) => ref_count)).toEqual([2, 2, 2]);
  });

  it.each([
    ['in rows', 3],
    ['in chunks', 256 * 1024 + 1],
  ])('where MD5 is not permitted, what differs only in its bytes is replaced as well: %s', async (_, size) => {
    const fileOf = (byte: number) => {
      const bytes = `unhex('${Buffer.alloc(size, byte).toString('hex')}')`;
      const small = `x'${Buffer.alloc(3, byte).toString('hex')}'`;
      const sql =
        'DELETE FROM snapshots; DELETE FROM patches; DELETE FROM blobs; ' +
        `INSERT INTO snapshots (store_id, clock, data) VALUES ('a snapshot', 1, ${bytes}); ` +
        `INSERT INTO patches (store_id, clock, data) VALUES ('a patch', 1, ${small}); ` +
        `INSERT INTO sds_records (store_id, key, data) VALUES ('a record', 'key', ${small})`;
      return makeStoreFile(freshFile(), { sql: `${recordsTable} ${sql}` });
    };
    const [before, source] = [fileOf(1), fileOf(2)];
    const url = await placeWith(withoutMd5);
    await copyStores(before, url);
    await copyStores(source, url, { Overwrite: true });
    expectSame(await postgresql.rowsOf(url), rowsOf(source));
  });

  it('a database is not copied into itself, by whatever URL', async () => {
    const url = await postgresql.freshPlace();
    await copyStores(makeStoreFile(freshFile()), url);
    const before = await postgresql.rowsOf(url);
    const same = url.replace('127.0.0.1', 'localhost').replace('postgres:', 'postgresql:');
    await expect(copyStores(url, same, { Overwrite: true })).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(await postgresql.rowsOf(url)).toEqual(before);
  });

  it.each([
    [
      'a patch with other bytes',
      'sds_patches',
      "IF NEW.clock = 20 THEN NEW.data = '\\x17'; END IF; RETURN NEW",
      '"(notes|tasks)"',
    ],
    [
      'a patch that was dropped',
      'sds_patches',
      'IF NEW.clock = 20 THEN RETURN NULL; END IF; RETURN NEW',
      '"(notes|tasks)"',
    ],
    ['a snapshot of another number', 'sds_snapshots', 'NEW.clock = NEW.clock + 1; RETURN NEW', '"notes"'],
    ['a snapshot with other bytes', 'sds_snapshots', 'NEW.data = sha256(NEW.data); RETURN NEW', '"notes"'],
    [
      'a value with other bytes',
      'sds_values',
      "NEW.data = overlay(NEW.data PLACING '\\x17' FROM 1); RETURN NEW",
      'the value',
    ],
    ['a value without references', 'sds_values', 'NEW.ref_count = 0; RETURN NEW', 'the value'],
  ])('%s is found out', async (_, table, change, named) => {
    const url = await placeWith(
      `CREATE FUNCTION tamper() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${change}; END $$;` +
        `CREATE TRIGGER tamper BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION tamper()`,
    );
    const failed = copyStores(makeStoreFile(freshFile()), url);
    await expect(failed).rejects.toMatchObject({ code: 'database-corrupt' });
    await expect(failed).rejects.toThrow(new RegExp(`after copying, .*${named}`));
  });

  it('a copy that was stopped goes on: what is there is not copied again, and no value is counted twice', async () => {
    const { source, url } = await stoppedCopy();
    const rowVersions = () =>
      server.query('SELECT store_id, clock, xmin::text FROM sds_patches ORDER BY store_id, clock', [], databaseOf(url));
    const before = await rowVersions();
    expect(before.length).toBeGreaterThan(0);
    expect(before.length).toBeLessThan(rowsOf(source).patches.length);
    await copyStores(source, url);
    expect(await rowVersions()).toEqual(expect.arrayContaining(before));
    expectSame(await postgresql.rowsOf(url), rowsOf(source));
    expect(await leftIn(url)).toEqual(nothing);
  });

  it('what has changed in the source since it was stopped is replaced only if asked for; values get the references of both', async () => {
    const { source, url } = await stoppedCopy();
    const [copied] = await server.query<{ store_id: string }>(
      'SELECT store_id FROM sds_patches LIMIT 1',
      [],
      databaseOf(url),
    );
    changeFile(
      source,
      `UPDATE blobs SET ref_count = 7 WHERE rowid = 1; INSERT INTO blobs VALUES ('a new one', x'17', 2); DELETE FROM patches WHERE store_id = '${copied?.store_id}' AND clock < 100`,
    );
    await expect(copyStores(source, url)).rejects.toMatchObject({ code: 'file-exists' });
    await copyStores(source, url, { Overwrite: true });
    const [found, wanted] = [await postgresql.rowsOf(url), rowsOf(source)];
    expectSame({ ...found, blobs: [] }, { ...wanted, blobs: [] });
    // too many rather than too few: none is deleted while somebody needs it
    const before = (hash: unknown, now: unknown) => (hash === 'a new one' ? 0 : now === 7 ? 1 : Number(now));
    expectSame(
      { ...found, patches: [], snapshots: [] },
      {
        patches: [],
        snapshots: [],
        records: wanted.records,
        blobs: wanted.blobs.map((row) => ({
          ...row,
          ref_count: Number(row.ref_count) + before(row.hash, row.ref_count),
        })),
      },
    );
    expect(await leftIn(url)).toEqual(nothing);
  });

  it('what was written to the target since the copy was cut off is not lost', async () => {
    const { source, url } = await stoppedCopy();
    await server.query(
      "INSERT INTO sds_patches SELECT store_id, 5000, '\\x00' FROM sds_patches LIMIT 1",
      [],
      databaseOf(url),
    );
    await expect(copyStores(source, url)).rejects.toMatchObject({ code: 'file-exists' });
    expect((await postgresql.rowsOf(url)).patches.filter(({ clock }) => clock === 5000)).toHaveLength(1);
    await copyStores(source, url, { Overwrite: true });
    expectSame(await postgresql.rowsOf(url), rowsOf(source));
  });

  it('a copy goes on when its source is named by another URL of the same database, and adds no value twice', async () => {
    const from = await postgresql.freshPlace();
    const { source, url } = await stoppedCopy(from);
    // a call without the values does not forget what was added of them
    await copyStores(`${from}&connection_limit=1`, url, { Values: false });
    await copyStores(`${from}&connection_limit=1`, url, { Overwrite: true });
    expectSame(await postgresql.rowsOf(url), rowsOf(source));
    expect(await leftIn(url)).toEqual(nothing);
  });

  it('a copy that finds its stores written by another one meanwhile, as the source has them, ends as if it had written them', async () => {
    const source = makeStoreFile(freshFile());
    const url = await postgresql.freshPlace();
    await copyStores(source, url, { Values: false });
    const copy = () => copyStores(source, url, { Values: false });
    await whileAllIsWrittenMeanwhile(url, storeTables, 'sds_stores', copy);
    const { patches, snapshots } = rowsOf(source);
    expect(await postgresql.rowsOf(url)).toMatchObject({ patches, snapshots });
  });

  it('a copy whose source another one has copied meanwhile, and ended, adds no value a second time', async () => {
    const source = makeStoreFile(freshFile());
    const url = await postgresql.freshPlace();
    await copyStores(source, url);
    const whole = linesOf(await postgresql.rowsOf(url));
    const tables = [...storeTables, 'sds_values', 'sds_value_chunks'];
    const copy = () => copyStores(source, url).catch((error: unknown) => error);
    const copied = await whileAllIsWrittenMeanwhile(url, tables, 'sds_copies', copy);
    expect(copied).toMatchObject({ code: 'file-exists' });
    expect(linesOf(await postgresql.rowsOf(url))).toEqual(whole);
    expect(await leftIn(url)).toEqual(nothing);
  });

  it('two copies of one source at once both end, and no value is counted twice', async () => {
    const source = makeStoreFile(freshFile());
    const url = await postgresql.freshPlace();
    await copyStores(source, url, { Stores: [], Values: false });
    const client = await server.connect(databaseOf(url));
    await client.query('BEGIN; LOCK TABLE sds_patches IN SHARE MODE');
    const copies = [1, 2].map(() => copyStores(source, url));
    await whenSoManyWait(url, 2);
    await client.end();
    await Promise.all(copies);
    expect(await postgresql.rowsOf(url)).toEqual(rowsOf(source));
    expect(await leftIn(url)).toEqual(nothing);
  });
});

const storeTables = ['sds_patches', 'sds_snapshots', 'sds_snapshot_chunks', 'sds_records'];

/** Once so many wait for a lock in a database: not the server's own, whose upkeep of a table waits for it too. */
async function whenSoManyWait(url: string, clients: number): Promise<void> {
  const waiting = `SELECT FROM pg_stat_activity WHERE datname = '${databaseOf(url)}' AND wait_event_type = 'Lock' AND backend_type = 'client backend'`;
  await expect.poll(() => server.query(waiting)).toHaveLength(clients);
}

/** What is in these tables seems to be written, by another copy, while this one waits for the table that is locked. */
async function whileAllIsWrittenMeanwhile<T>(
  url: string,
  tables: readonly string[],
  locked: string,
  copy: () => Promise<T>,
): Promise<T> {
  const client = await server.connect(databaseOf(url));
  for (const table of tables) {
    await client.query(`CREATE TEMP TABLE kept_${table} AS SELECT * FROM ${table}; DELETE FROM ${table}`);
  }
  await client.query(`BEGIN; LOCK TABLE ${locked} IN SHARE MODE`);
  const copied = copy();
  await whenSoManyWait(url, 1);
  for (const table of tables) await client.query(`INSERT INTO ${table} SELECT * FROM kept_${table}`);
  await client.query('COMMIT');
  await client.end();
  return copied;
}

/**
 * A copy of a file into a database, directly or by way of another one, that was stopped once the first stores were there,
 * and while it waited for somebody to make up his mind about a row of the last one.
 */
async function stoppedCopy(by?: string): Promise<{ source: string; url: string }> {
  // so large that each store takes a transaction
  const source = makeStoreFile(freshFile(), {
    patches: 150,
    patchBytes: 30_000,
    sql: "INSERT INTO patches SELECT 'another one', clock, data FROM patches WHERE store_id = 'tasks'",
  });
  const url = await postgresql.freshPlace();
  if (by !== undefined) await copyStores(source, by);
  // makes the tables
  await copyStores(source, url, { Stores: [], Values: false });
  const somebody = await server.connect(databaseOf(url));
  await somebody.query("BEGIN; INSERT INTO sds_patches VALUES ('tasks', 1, '\\x00')");
  const reason = new Error('enough');
  const control = new AbortController();
  let left: Promise<void> | undefined;
  const stopped = copyStores(by ?? source, url, {
    Signal: control.signal,
    OnProgress({ Stores = 0 }) {
      if (Stores === 0) return;
      control.abort(reason);
      left ??= somebody.end();
    },
  });
  await expect(stopped).rejects.toBe(reason);
  await left;
  return { source, url };
}
