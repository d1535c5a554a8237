/** Programs print `error.message` alone: what the server or the network said is in it, and the database, and no secret. */
import { SDS_DesktopPersistenceProvider, type SDS_PersistenceError } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { Program } from '../../torture/child-process.ts';
import { patchOf } from '../support/files.ts';
import { findPgBouncer, howToHavePgBouncer, PgBouncer } from '../support/pgbouncer.ts';
import { describeOnPostgresql, itOnOwnServer, ownPlace, postgresql, server } from '../support/postgresql.ts';
import { freePort, PASSWORD, USER } from '../support/postgresql-address.ts';
import { databaseOf } from '../support/postgresql-engine.ts';
import { runProgram } from '../support/programs.ts';
import { namesHave } from '../support/several-addresses.ts';

async function messagesAt(url: string): Promise<string[]> {
  const provider = new SDS_DesktopPersistenceProvider(url, 'store', {
    RetryForMs: 300,
    ConnectTimeoutMs: 2000,
    BusyTimeoutMs: 0,
    Acknowledge: 'committed',
  });
  const messages: string[] = [];
  for (const call of [
    () => provider.ready(),
    () => provider.appendPatch(patchOf(1), 1),
    () => provider.saveSnapshot(new Uint8Array(300_000), 1),
    () => provider.loadPatchesSince(0),
  ]) {
    messages.push(
      await call().then(
        () => 'done',
        (error: SDS_PersistenceError) => error.message,
      ),
    );
  }
  await provider.close();
  return messages;
}

describeOnPostgresql('the message names the reason', () => {
  it.each<[string, () => Promise<string>, RegExp]>([
    ['a server that is not there', async () => server.url('any', { port: await freePort() }), /\(.*ECONNREFUSED.*\)/],
    [
      'a wrong password',
      async () => server.url(databaseOf(await ownPlace()), { password: 'wrong' }),
      /\(password authentication failed for .*\); check the URL/,
    ],
    ['a database that is not there', () => postgresql.brokenPlace(), /\(database ".*" does not exist\); check the URL/],
    [
      'tables of another shape',
      async () => {
        const url = await ownPlace();
        await server.query('CREATE TABLE sds_schema (id int, version int)', [], databaseOf(url));
        await server.query('INSERT INTO sds_schema VALUES (1, 99)', [], databaseOf(url));
        await server.query('GRANT ALL ON sds_schema TO public', [], databaseOf(url));
        return url;
      },
      /of another shape or version, .* \(its tables are of version 99, .*\); restore them, .* or name another one$/,
    ],
  ])('%s', async (_, place, reason) => {
    const url = await place();
    for (const message of await messagesAt(url)) {
      expect(message).toMatch(reason);
      expect(message).toMatch(/^\w+ \('PostgreSQL database \w+ on [\w.]+:\d+'\): /);
      for (const secret of [PASSWORD, encodeURIComponent(PASSWORD), USER, 'postgres://'])
        expect(message).not.toContain(secret);
    }
  });

  it('a host with several addresses, and nobody at any of them', async () => {
    const url = server.url('any', { port: await freePort() }).replace('127.0.0.1', 'two.test');
    const { stdout } = await runProgram(
      `const provider = new SDS_DesktopPersistenceProvider(file, 'store', { RetryForMs: 300 });
      await provider.ready().catch(({ message }) => console.log(message));
      await provider.close();`,
      url,
      { flags: namesHave('127.0.0.1', '127.0.0.2') },
    );
    expect(stdout).toMatch(/\(.*ECONNREFUSED 127\.0\.0\.1:\d+, .*ECONNREFUSED 127\.0\.0\.2:\d+\)/);
  });

  itOnOwnServer(
    'a pooler that takes no transactions, and ends the connection while nothing is asked',
    async ({ skip }) => {
      const program = findPgBouncer();
      if (program === undefined) return skip(howToHavePgBouncer);
      const database = databaseOf(await ownPlace());
      const bouncer = await PgBouncer.start(program, server, 2, 'statement');
      onTestFinished(() => bouncer.remove());
      for (const message of await messagesAt(server.url(database, { port: bouncer.port }))) {
        expect(message).toMatch(/\(transaction blocks not allowed in statement pooling mode\)/);
      }
    },
  );

  it('tables that are gone, and claims that are', async () => {
    const url = await ownPlace();
    const options = { RetryForMs: 300, Acknowledge: 'committed' } as const;
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', options);
    onTestFinished(() => provider.close());
    await provider.ready();
    for (const table of ['sds_holders', 'sds_claims']) await server.query(`DELETE FROM ${table}`, [], databaseOf(url));
    await expect(provider.appendPatch(patchOf(1), 1)).rejects.toThrow(/its claim is gone with .* a restored database/);
    await server.query('DROP TABLE sds_holders', [], databaseOf(url));
    await server.killBackends(databaseOf(url));
    // the server is not asked for a store that is lost before the worker has noticed that the connection is, too
    const reason = () => provider.loadSnapshot().catch(({ message }: Error) => message);
    await expect.poll(reason).toMatch(/they are gone \(.*sds_holders.*\); restore them/);
  });

  it('a store that another process owns', async () => {
    const url = await postgresql.freshPlace();
    const owner = new Program('owning', [url, 'store', 'owner', '1', '{}']);
    onTestFinished(() => owner.end());
    owner.tell('again');
    await owner.line((line) => line === 'value');
    const sentence =
      /the store belongs to another process \(store 'store' belongs to another process\); nothing was stored/;
    for (const message of await messagesAt(url)) expect(message).toMatch(sentence);
  });
});
