/** Whatever goes wrong, and whoever listens: no URL, user or password in messages, logs, warnings and figures. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { inspect } from 'node:util';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { channelNames } from '../support/channels.ts';
import { describeOnPostgresql, ownPlace, proxiedPlace, server } from '../support/postgresql.ts';
import { freePort, PASSWORD, USER } from '../support/postgresql-address.ts';
import { databaseOf } from '../support/postgresql-engine.ts';
import { runProgram } from '../support/programs.ts';

/** Works, tells all that it can be told, and prints every error with all that hangs on it. */
const telling = `
  import { subscribe } from 'node:diagnostics_channel';
  import { inspect } from 'node:util';
  const show = (what) => console.log(inspect(what, { depth: 20, showHidden: true, getters: true }));
  for (const name of ${JSON.stringify(channelNames())}) {
    subscribe(name, (message) => {
      console.log('told on', name);
      show(message);
    });
  }
  process.on('warning', (warning) => show(warning));
  let worker;
  process.on('worker', (started) => { worker = started; });
  const provider = new SDS_DesktopPersistenceProvider(file, 'store', { RetryForMs: 300, BusyTimeoutMs: 0 });
  const calls = [
    provider.ready(),
    provider.appendPatch(patchOf(1), 1),
    provider.appendPatch(patchOf(2), 1),
    provider.saveValue('hash', new Uint8Array(300_000)),
    provider.loadSnapshot(),
  ];
  for (const outcome of await Promise.allSettled(calls)) show(outcome);
  show(provider);
  show(provider.statistics());
  console.log('said');
  await new Promise((resolve) => setTimeout(resolve, 300));
  for (const outcome of await Promise.allSettled([provider.appendPatch(patchOf(3), 3)])) show(outcome);
  try { await provider.backup('/nowhere/at-all.db'); } catch (error) { show(error); }
  try { new SDS_DesktopPersistenceProvider(file + '&sslmode=nonsense', 'store'); } catch (error) { show(error); }
  await endThread(worker);
  for (const outcome of await Promise.allSettled([provider.appendPatch(patchOf(4), 4)])) show(outcome);
  await provider.close();
  throw new Error('the end');
`;

const secrets = [
  PASSWORD,
  encodeURIComponent(PASSWORD),
  USER,
  encodeURIComponent(USER),
  'postgres://',
  'postgresql://',
];

describeOnPostgresql('no secrets are told', () => {
  it.each<[string, () => Promise<string>]>([
    ['where all is well', ownPlace],
    ['without a server', async () => server.url('some_database', { port: await freePort() })],
    [
      'with a wrong password',
      async () => (await ownPlace()).replace(encodeURIComponent(PASSWORD), `${encodeURIComponent(PASSWORD)}x`),
    ],
    ['without such a database', async () => server.url('there_is_no_such_database')],
    ['without TLS', async () => (await ownPlace()).replace('sslmode=disable', 'sslmode=verify-full')],
    [
      'without rights',
      async () => {
        const url = await ownPlace();
        await server.query(`ALTER DATABASE ${databaseOf(url)} OWNER TO CURRENT_USER`);
        await server.query('REVOKE ALL ON SCHEMA public FROM public', [], databaseOf(url));
        return url;
      },
    ],
    [
      'with too many connections',
      async () => {
        const url = await ownPlace();
        await server.query(`ALTER DATABASE ${databaseOf(url)} CONNECTION LIMIT 0`);
        return url;
      },
    ],
  ])('%s', async (_, place) => {
    await check(await place());
  });

  it('with a server that goes away', async () => {
    const { proxy, url } = await proxiedPlace();
    await check(url, (said) => {
      if (!said.includes('said\n')) return;
      proxy.refuse();
      proxy.cutNow();
    });
  });

  it.each([
    ['Benutzer »NAME«'],
    ['l’utilisateur « NAME »'],
    ['użytkownika "NAME"'],
    ['gebruiker „NAME”'],
    // of Supavisor, without and with its own code
    ['Tenant or user not found', 'XX000'],
    ['(ENOTFOUND) tenant/user NAME not found', 'XX000'],
  ])('by a server, or a pooler, that refuses a user in words of its own: %s', async (words, reported = '28P01') => {
    const user = 'the.user (1)';
    const message = `SFATAL\0C${reported}\0M${words.replace('NAME', user)}\0\0`;
    const length = Buffer.alloc(4);
    length.writeInt32BE(4 + Buffer.byteLength(message));
    const refusing = createServer((socket) => {
      socket.once('data', () => socket.end(Buffer.concat([Buffer.from('E'), length, Buffer.from(message)])));
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void refusing.close());
    await once(refusing, 'listening');
    const { port } = refusing.address() as AddressInfo;
    const provider = new SDS_DesktopPersistenceProvider(server.url('some', { port, user }), 'store', {
      RetryForMs: 0,
    });
    onTestFinished(() => provider.close());
    const error = await provider.ready().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'open-failed', message: expect.stringMatching(/this user|or user/) });
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(user);
  });
});

async function check(url: string, onOutput: (said: string) => void = () => undefined): Promise<void> {
  const { stdout, stderr, code } = await runProgram(telling, url, {
    env: { NODE_DEBUG: 'sds-persistence*' },
    onOutput,
  });
  expect(code, stderr).toBe(1);
  expect(stdout).toContain('said');
  for (const name of ['tracing:sds-persistence:open:start', 'sds-persistence:worker-lost']) {
    expect(stdout).toContain(`told on ${name}`);
  }
  for (const secret of secrets) {
    const line = `${stdout}\n${stderr}`.split('\n').find((each) => each.includes(secret));
    expect(line, `a line with ${secret}`).toBeUndefined();
  }
}
