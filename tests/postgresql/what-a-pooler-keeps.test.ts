/** A pooler's connections to the server serve other programs as well: what a provider sets must not stay there. */
import pg from 'pg';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, onTestFinished } from 'vitest';
import { patchOf } from '../support/files.ts';
import { findPgBouncer, howToHavePgBouncer, PgBouncer } from '../support/pgbouncer.ts';
import { describeOnPostgresql, itOnOwnServer, ownPlace, server } from '../support/postgresql.ts';
import { databaseOf } from '../support/postgresql-engine.ts';

const program = findPgBouncer();

/** What one has that belongs to nobody else. */
async function settingsBy(connectionString: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  const { rows } = await client.query(
    "SELECT name, setting FROM pg_settings WHERE context <> 'internal' ORDER BY name",
  );
  await client.end();
  return rows.filter(({ name }) => !['application_name', 'TimeZone', 'transaction_read_only'].includes(name));
}

describeOnPostgresql('through a pooler', () => {
  itOnOwnServer('nothing is set for the programs that get the connection next', async ({ skip }) => {
    if (program === undefined) return skip(howToHavePgBouncer);
    const direct = await ownPlace();
    const bouncer = await PgBouncer.start(program, server, 1);
    onTestFinished(() => bouncer.remove());
    const url = server.url(databaseOf(direct), { port: bouncer.port });
    const provider = new SDS_DesktopPersistenceProvider(url, 'store');
    onTestFinished(() => provider.close());
    await provider.appendPatch(patchOf(1), 1);
    expect(await settingsBy(url)).toEqual(await settingsBy(direct));
  });
});
