/** Through PgBouncer: a small slice of the rig torture/postgresql-pgbouncer.ts, and what it refuses. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, onTestFinished } from 'vitest';
import { run } from '../../torture/postgresql-pgbouncer.ts';
import { patchOf } from '../support/files.ts';
import { findPgBouncer, howToHavePgBouncer, PgBouncer } from '../support/pgbouncer.ts';
import { describeOnPostgresql, itOnOwnServer, ownPlace, server } from '../support/postgresql.ts';
import { databaseOf } from '../support/postgresql-engine.ts';
import { slice } from './slices.ts';

describeOnPostgresql('on PostgreSQL', () => {
  slice('all of it works through PgBouncer in transaction mode', run, 0.02);

  itOnOwnServer('a password that it refuses: open-failed at once, and others are tried', async ({ skip }) => {
    const program = findPgBouncer();
    if (program === undefined) return skip(howToHavePgBouncer);
    const database = databaseOf(await ownPlace());
    const bouncer = await PgBouncer.start(program, server);
    onTestFinished(() => bouncer.remove());
    const { port } = bouncer;
    const open = (url: string, storeId: string) => {
      const provider = new SDS_DesktopPersistenceProvider(url, storeId, { RetryForMs: 60_000 });
      onTestFinished(() => provider.close());
      return provider;
    };
    const wrong = server.url(database, { port, password: 'wrong' });
    const refused = open(wrong, 'refused');
    await expect(refused.appendPatch(patchOf(1), 1)).rejects.toMatchObject({ code: 'open-failed' });
    const right = open(server.url(database, { port }), 'right');
    const newest = open(wrong, 'newest');
    await Promise.all([right, newest].map((provider) => provider.appendPatch(patchOf(1), 1)));
  });
});
