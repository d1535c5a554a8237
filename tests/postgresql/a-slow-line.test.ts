/** A line over which a request is on its way for longer than a server may say nothing before it is asked what it does. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { howToHaveOpenssl } from '../support/certificates.ts';
import { encrypting } from '../support/encrypting-server.ts';
import { freshFolder } from '../support/files.ts';
import { describeOnPostgresql, itOnOwnServer, ownPlace, server } from '../support/postgresql.ts';
import type { PostgresqlAddress } from '../support/postgresql-address.ts';
import { databaseOf } from '../support/postgresql-engine.ts';
import { runProgram } from '../support/programs.ts';
import { namesHave } from '../support/several-addresses.ts';
import { sqlOfTables } from './outcomes.ts';

const BYTES_A_MS = 700;

/**
 * The folder with a socket that leads to a server, so slowly. Not over TCP: on one machine that takes megabytes
 * at once, as no slow network does.
 */
async function slowLine(to: PostgresqlAddress): Promise<string> {
  const folder = freshFolder();
  const sockets = new Set<Socket>();
  const listener = createServer((client) => {
    const target = connect(to.port, to.host);
    for (const [socket, other] of [
      [client, target],
      [target, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => undefined); // its end is told by 'close'
      socket.on('close', () => other.destroySoon());
    }
    target.on('data', (chunk) => client.write(chunk));
    client.on('data', (chunk) => {
      target.write(chunk);
      client.pause();
      setTimeout(() => client.resume(), chunk.byteLength / BYTES_A_MS);
    });
  });
  listener.listen(join(folder, '.s.PGSQL.5432'));
  await once(listener, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    listener.close();
  });
  return folder;
}

async function providerBehind(to: PostgresqlAddress, database: string, sslmode: string) {
  const url = to.url(database, { parameters: `sslmode=${sslmode}&host=${await slowLine(to)}` });
  const provider = new SDS_DesktopPersistenceProvider(url, 'store', { Acknowledge: 'committed', RetryForMs: 8000 });
  onTestFinished(() => provider.close());
  return provider;
}

async function takesAll(provider: SDS_DesktopPersistenceProvider): Promise<void> {
  await provider.appendPatch(new Uint8Array(2_500_000), 1);
  await provider.saveSnapshot(new Uint8Array(2_500_000), 1);
  const [patch] = await provider.loadPatchesSince(0);
  const snapshot = await provider.loadSnapshot();
  expect([patch?.byteLength, snapshot?.byteLength]).toEqual([2_500_000, 2_500_000]);
}

describeOnPostgresql('a slow line is not taken for one that is cut', () => {
  it('a large patch and a large snapshot arrive', async () => {
    const database = new URL(await ownPlace()).pathname.slice(1);
    await takesAll(await providerBehind(server, database, 'disable'));
  });

  itOnOwnServer('nor is one with TLS', async ({ annotate }) => {
    const server = await encrypting();
    if (server === undefined) return void (await annotate(howToHaveOpenssl, 'skipped'));
    await takesAll(await providerBehind(server.own, await server.own.freshDatabase(), 'require'));
  });

  it('a host with several addresses: each has a fifth of the time for a connection', async () => {
    const url = (await ownPlace()).replace('127.0.0.1', 'two.test');
    const ended = await runProgram(
      `const provider = new SDS_DesktopPersistenceProvider(file, 'store', { ConnectTimeoutMs: 20_000 });
      await provider.ready();
      await provider.close();`,
      url,
      { flags: namesHave('127.0.0.1', '127.0.0.2'), env: { NODE_DEBUG: 'net' } },
    );
    expect(ended).toMatchObject({ code: 0, stderr: expect.stringMatching(/attempt timeout to 4000 ms/) });
  });

  it('and no more, whatever the others of its thread have: of another database, and of what asks for a silent one', async () => {
    const place = async () => (await ownPlace()).replace('127.0.0.1', 'two.test');
    const [patient, hasty] = [await place(), await place()];
    await sqlOfTables(hasty);
    await server.query(
      `CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(2); RETURN NULL; END';
      CREATE TRIGGER slow AFTER INSERT ON sds_patches EXECUTE FUNCTION take_time()`,
      [],
      databaseOf(hasty),
    );
    const ended = await runProgram(
      `const open = (url, options) => new SDS_DesktopPersistenceProvider(url, 'store', options);
      const patient = open(file, { ConnectTimeoutMs: 20_000 });
      await patient.ready();
      const hasty = open(${JSON.stringify(hasty)}, { ConnectTimeoutMs: 10_000, RetryForMs: 1000, Acknowledge: 'committed' });
      await hasty.appendPatch(patchOf(1), 1);
      await Promise.all([patient, hasty].map((provider) => provider.close()));`,
      patient,
      { flags: namesHave('127.0.0.1', '127.0.0.2'), env: { NODE_DEBUG: 'net', SDS_PERSISTENCE_WORKERS: '1' } },
    );
    const times = ended.stderr.matchAll(/attempt timeout to (\d+) ms/g);
    expect(ended.code).toBe(0);
    expect([...new Set([...times].map(([, time]) => time))]).toEqual(['4000', '2000', '250']);
  });
});
