/** A server, a database or a role that is not as it must be: the right code for every call, and no waiting where it would not help. */
import { SDS_DesktopPersistenceProvider, type SDS_ProviderOptions } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { patchOf } from '../support/files.ts';
import { describeOnPostgresql, ownPlace, postgresql, server } from '../support/postgresql.ts';
import { freePort, USER } from '../support/postgresql-address.ts';
import { databaseOf } from '../support/postgresql-engine.ts';
import { codesOf, sqlOfTables } from './outcomes.ts';

/** Nothing here is waited for, but a server that is not there. */
const options: SDS_ProviderOptions = { RetryForMs: 300, ConnectTimeoutMs: 2000 };

async function codesAt(url: string, more: SDS_ProviderOptions = {}): Promise<string[]> {
  const provider = new SDS_DesktopPersistenceProvider(url, 'store', { ...options, ...more });
  try {
    return await codesOf(provider);
  } finally {
    await provider.close();
  }
}

async function columnsOf(url: string): Promise<string[]> {
  const sql = `SELECT table_name || '.' || column_name AS name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1`;
  return (await server.query<{ name: string }>(sql, [], databaseOf(url))).map(({ name }) => name);
}

/** A role of this test's own that may log in, and nothing else. */
async function freshRole(name: string): Promise<{ user: string; password: string }> {
  const role = { user: `${name}_${process.pid}`, password: 'another-secret-word' };
  await server.query(`CREATE ROLE "${role.user}" LOGIN PASSWORD '${role.password}'`);
  onTestFinished(async () => {
    await server.query(`DROP ROLE "${role.user}"`);
  });
  return role;
}

it.each([' ', '\n', '"', "'", ' "'])(
  'a URL that came with %j before it is refused, and not told as a path',
  (before) => {
    const open = () => new SDS_DesktopPersistenceProvider(`${before}postgres://somebody:secret@host/database`, 'store');
    expect(open).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
    expect(open).toThrow(/^(?!.*secret)/s);
  },
);

describeOnPostgresql('what can not be opened', () => {
  it('a server that is not there: connection-failed', async () => {
    expect(await codesAt(server.url('any', { port: await freePort() }))).toEqual(['connection-failed']);
  });

  it('a host whose name nobody knows: connection-failed', async () => {
    expect(await codesAt('postgres://someone@no-such-host.invalid/any?sslmode=disable')).toEqual(['connection-failed']);
  });

  it('a wrong password, a role that is not there, a database that is not there: open-failed', async () => {
    const database = databaseOf(await ownPlace());
    expect(await codesAt(server.url(database, { password: 'wrong' }))).toEqual(['open-failed']);
    expect(await codesAt(server.url(database, { user: 'nobody-knows-me' }))).toEqual(['open-failed']);
    expect(await codesAt(await postgresql.brokenPlace())).toEqual(['open-failed']);
  });

  it('a database that a role may not connect to: open-failed', async () => {
    const database = databaseOf(await ownPlace());
    await server.query(`REVOKE CONNECT ON DATABASE ${database} FROM PUBLIC`);
    const role = await freshRole('uninvited');
    expect(await codesAt(server.url(database, role))).toEqual(['open-failed']);
  });

  it.each([
    ['that the server does not know', '-c nosuch=1'],
    ['with a value that it does not take', '-c work_mem=much'],
    ['that it has from its start', '-c port=5432'],
    ['that is the superuser’s', '-c lc_messages=C'],
  ])('a setting of `options` %s: open-failed', async (_, setting) => {
    const parameters = `sslmode=disable&options=${encodeURIComponent(setting)}`;
    expect(await codesAt(server.url(databaseOf(await ownPlace()), { parameters }))).toEqual(['open-failed']);
  });

  it('a database in which something keeps the version of the tables from being stored: schema-mismatch', async () => {
    const url = await ownPlace();
    const rule = 'CREATE RULE nothing AS ON INSERT TO sds_schema DO INSTEAD NOTHING';
    const table = 'CREATE TABLE sds_schema (id int PRIMARY KEY, version int NOT NULL)';
    await server.query(`SET ROLE "${USER}"; ${table}; ${rule}`, undefined, databaseOf(url));
    expect(await codesAt(url)).toEqual(['schema-mismatch']);
  });

  it('a role that may make no tables: read-only, and open as soon as somebody else has made them', async () => {
    const url = await ownPlace();
    const database = databaseOf(url);
    const role = await freshRole('stranger');
    const provider = new SDS_DesktopPersistenceProvider(server.url(database, role), 'store', options);
    onTestFinished(() => provider.close());
    expect(await codesOf(provider)).toEqual(['read-only']);

    const owner = new SDS_DesktopPersistenceProvider(url, 'other', options);
    await owner.appendPatch(patchOf(1), 1);
    await owner.close();
    // it may not use them, though
    expect(await codesOf(provider)).toEqual(['read-only']);

    await server.query(`GRANT ALL ON ALL TABLES IN SCHEMA public TO "${role.user}"`, [], database);
    await provider.appendPatch(patchOf(1), 1);
    await server.query(`REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "${role.user}"`, [], database);
  });

  it('CreateTables: false, without tables: open-failed; with those of the exported SQL: open', async () => {
    const url = await ownPlace();
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', { ...options, CreateTables: false });
    onTestFinished(() => provider.close());
    expect(await codesOf(provider)).toEqual(['open-failed']);
    const [row] = await server.query<{ there: boolean }>(
      `SELECT to_regclass('sds_patches') IS NOT NULL AS there`,
      [],
      databaseOf(url),
    );
    expect(row?.there).toBe(false);

    await sqlOfTables(url);
    await provider.appendPatch(patchOf(1), 1);
    expect((await postgresql.rowsOf(url)).patches).toHaveLength(1);
  });

  it('tables of another version: schema-mismatch, and they are left as they are', async () => {
    const url = await ownPlace();
    await sqlOfTables(url);
    await server.query('UPDATE sds_schema SET version = 1000', [], databaseOf(url));
    expect(await codesAt(url)).toEqual(['schema-mismatch']);
    const [row] = await server.query<{ version: number }>('SELECT version FROM sds_schema', [], databaseOf(url));
    expect(row?.version).toBe(1000);
  });

  it.each([
    ['lacks a column', 'ALTER TABLE sds_patches DROP COLUMN data'],
    ['names one otherwise', 'ALTER TABLE sds_values RENAME COLUMN ref_count TO references_to_it'],
    ['is missing', 'DROP TABLE sds_claims'],
    ['has no key', 'ALTER TABLE sds_patches DROP CONSTRAINT sds_patches_pkey'],
  ])('a table that %s: schema-mismatch, and it is left as it is', async (_, sql) => {
    const url = await ownPlace();
    await sqlOfTables(url);
    await server.query(sql, [], databaseOf(url));
    const before = await columnsOf(url);
    expect(await codesAt(url)).toEqual(['schema-mismatch']);
    expect(await columnsOf(url)).toEqual(before);
  });

  it('a table with a column more is no trouble', async () => {
    const url = await ownPlace();
    await sqlOfTables(url);
    await server.query('ALTER TABLE sds_patches ADD COLUMN stored_at timestamptz DEFAULT now()', [], databaseOf(url));
    expect(await codesAt(url)).toEqual(['carried out']);
  });

  it('with more patience than the clock of the calls can tell: invalid-argument', async () => {
    const url = await ownPlace();
    const halfAnHour = 1_800_000;
    expect(() => new SDS_DesktopPersistenceProvider(url, 'store', { RetryForMs: halfAnHour + 1 })).toThrow(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', { RetryForMs: halfAnHour });
    onTestFinished(() => provider.close());
    await provider.ready();
  });
});
