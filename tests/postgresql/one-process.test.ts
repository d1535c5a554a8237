/** One process is one owner, by whatever URLs and with whatever passwords it reaches a database. */
import { SDS_DesktopPersistenceProvider, type SDS_ProviderOptions } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { livingWorkers } from '../../torture/living-workers.ts';
import { OtherProcess } from '../../torture/other-process.ts';
import { patchOf } from '../support/files.ts';
import { describeOnPostgresql, mayEndNothing, ownPlace, proxiedPlace, server } from '../support/postgresql.ts';
import { databaseOf } from '../support/postgresql-engine.ts';
import { runProgram } from '../support/programs.ts';

function open(url: string, store: string, options: SDS_ProviderOptions = {}): SDS_DesktopPersistenceProvider {
  const provider = new SDS_DesktopPersistenceProvider(url, store, { Acknowledge: 'committed', ...options });
  onTestFinished(() => provider.close());
  return provider;
}

function otherProcess(): OtherProcess {
  const other = new OtherProcess();
  onTestFinished(() => other.end());
  return other;
}

/** A provider that has written, and whose password was changed then; `after` is the URL with the new one. */
async function withChangedPassword() {
  const database = databaseOf(await ownPlace());
  const user = await freshRole(database, 'before');
  const old = open(server.url(database, { user, password: 'before' }), 'store');
  await old.appendPatch(patchOf(1), 1);
  await server.query(`ALTER ROLE "${user}" PASSWORD 'after'`);
  return { database, old, after: server.url(database, { user, password: 'after' }) };
}

/** A role whose password a test may change. */
async function freshRole(database: string, password: string): Promise<string> {
  const user = `changing_${process.pid}_${database}`;
  await server.query(`CREATE ROLE "${user}" LOGIN PASSWORD '${password}'`);
  await server.query(`GRANT ALL ON DATABASE ${database} TO "${user}"`);
  await server.query(`GRANT ALL ON SCHEMA public TO "${user}"`, [], database);
  onTestFinished(async () => {
    await server.query(`DROP OWNED BY "${user}" CASCADE`, [], database);
    await server.query(`DROP OWNED BY "${user}" CASCADE`);
    await server.query(`DROP ROLE "${user}"`);
  });
  return user;
}

describeOnPostgresql('one process', () => {
  it('has a store by two URLs at once, and each sees what the other has stored', async () => {
    const { url, database } = await proxiedPlace();
    // shorter than a lease, but long enough for the locks of each other's values
    const [one, other] = [open(url, 'store'), open(server.url(database), 'store', { BusyTimeoutMs: 3000 })];
    for (let clock = 1; clock <= 20; clock += 2) {
      await one.appendPatch(patchOf(clock), clock);
      await other.appendPatch(patchOf(clock + 1), clock + 1);
    }
    await Promise.all([one.saveValue('value', patchOf('value')), other.saveValue('value', patchOf('value'))]);
    expect(await one.loadPatchesSince(0)).toHaveLength(20);
    await one.releaseValue('value');
    expect(await other.loadValue('value')).toEqual(patchOf('value'));
    await other.releaseValue('value');
    expect(await one.loadValue('value')).toBeUndefined();
  });

  it('has a store for itself by one URL and shared by another: it is closed to others until it has neither', async () => {
    const { url, database } = await proxiedPlace();
    const place = server.url(database);
    const alone = open(url, 'store');
    await alone.appendPatch(patchOf(1), 1);
    const sharing = open(place, 'store', { Ownership: 'shared', BusyTimeoutMs: 0 });
    await sharing.appendPatch(patchOf(2), 2);
    const other = otherProcess();
    const opened = () => other.request(place, 'store', 'open', { Ownership: 'shared', BusyTimeoutMs: 0 });
    expect(await opened()).toBe('fenced');
    await alone.appendPatch(patchOf(3), 3);
    await alone.close();
    expect(await opened()).toBe('fenced');
    await sharing.close();
    expect(await opened()).toBeUndefined();
  });

  it('gives its stores back as it ends by process.exit(), also with a load under way', async () => {
    const url = server.url(databaseOf(await ownPlace()));
    const { code } = await runProgram(
      `const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      await provider.appendPatch(patchOf(1), 1);
      provider.loadPatchesSince(0).catch(() => {});
      process.exit();`,
      url,
    );
    expect(code).toBe(0);
    const next = open(url, 'store', { BusyTimeoutMs: 0 }); // it waits for no lease
    expect(await next.loadPatchesSince(0)).toHaveLength(1);
  });

  it('is not held up at its end by loads that have not begun: nobody hears their answers any more', async () => {
    const { url, proxy } = await proxiedPlace();
    const { code } = await runProgram(
      `const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      await provider.saveSnapshot(new Uint8Array(1_000_000), 1);
      await provider.flush();
      for (let load = 0; load < 200; load++) provider.loadSnapshot().catch(() => {});
      process.exit();`,
      url,
    );
    expect(code).toBe(0);
    expect(proxy.bytes.down).toBeLessThan(100_000_000); // half of what they all take
    const next = open(url, 'store', { BusyTimeoutMs: 0 }); // it was given back
    expect(await next.loadSnapshot()).toHaveLength(1_000_000);
  });

  it('and any other process is refused until the last of them is closed', async () => {
    const { url, database } = await proxiedPlace();
    const [one, other] = [open(url, 'store'), open(server.url(database), 'store')];
    await Promise.all([one.appendPatch(patchOf(1), 1), other.appendPatch(patchOf(2), 2)]);
    const stranger = otherProcess();
    const ask = async () => {
      const answer = await stranger.request(server.url(database), 'store', 'open', { BusyTimeoutMs: 0 });
      await stranger.request(server.url(database), 'store', 'close');
      return answer ?? 'opened';
    };
    expect(await ask()).toBe('fenced');
    await one.close();
    expect(await ask()).toBe('fenced');
    await other.appendPatch(patchOf(3), 3);
    await other.close();
    expect(await ask()).toBe('opened');
  });

  it('gets its store back at once where the server did not hear of its close, and nothing that was sent before comes through', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const first = open(url, 'store', { RetryForMs: 0, LeaseMs: 600_000 });
    await first.saveSnapshot(patchOf('first'), 1);
    await mayEndNothing(database);
    const held = proxy.holdBack('INTO sds_snapshots');
    const saved = first.saveSnapshot(patchOf('late'), 2).catch((error) => error.code);
    proxy.refuse();
    const deliver = await held;
    expect(await saved).toBe('connection-failed');
    await first.close();
    proxy.accept();
    const next = open(url, 'store', { BusyTimeoutMs: 0 });
    await next.saveSnapshot(patchOf('next'), 3);
    await deliver();
    expect(await next.loadSnapshot()).toEqual(patchOf('next'));
    await next.saveSnapshot(patchOf('after'), 4);
    expect(await server.query<{ clock: string }>('SELECT clock::int FROM sds_snapshots', [], database)).toEqual([
      { clock: 4 },
    ]);
  });

  it('goes on with the password that was set last, and with one connection', async () => {
    const { database, old, after } = await withChangedPassword();
    const renewed = open(after, 'store', { BusyTimeoutMs: 0 });
    await renewed.appendPatch(patchOf(2), 2);
    expect(await server.connectionsOf(database)).toBe(1);
    await server.killBackends(database);
    // called before it, so it is stored before it, by whichever connection
    const calls = [old.appendPatch(patchOf(3), 3), renewed.loadPatchesSince(0)];
    expect(await calls[1]).toHaveLength(3);
    await calls[0];
  });

  it('goes on with the password that was right, whatever another provider says', async () => {
    const database = databaseOf(await ownPlace());
    const user = await freshRole(database, 'right');
    const [right, wrong] = ['right', 'wrong'].map((password) => server.url(database, { user, password }));
    const bad = open(String(wrong), 'other', { RetryForMs: 0 });
    await expect(bad.ready()).rejects.toMatchObject({ code: 'open-failed' });
    const good = open(String(right), 'store');
    await good.appendPatch(patchOf(1), 1);
    open(server.url(database, { user, password: 'also wrong' }), 'store');
    await server.killBackends(database);
    await good.appendPatch(patchOf(2), 2);
    expect(await good.loadPatchesSince(0)).toHaveLength(2);
  });

  it('goes on with a password that was brought by a provider that is closed, also if it was never needed before', async () => {
    const { database, old, after } = await withChangedPassword();
    const renewed = open(after, 'other');
    await renewed.appendPatch(patchOf(1), 1);
    await renewed.close();
    await server.killBackends(database);
    await old.appendPatch(patchOf(2), 2);
  });

  it('tries those of providers that are open, however many others were brought later by some that are closed', async () => {
    const { database, old, after } = await withChangedPassword();
    const renewed = open(after, 'other');
    await renewed.appendPatch(patchOf(1), 1);
    for (let i = 0; i < 5; i++) {
      const wrong = new URL(after);
      wrong.password = `wrong ${i}`;
      const closed = open(wrong.href, 'other');
      await closed.appendPatch(patchOf(i + 2), i + 2);
      await closed.close();
    }
    await server.killBackends(database);
    await Promise.all([old.appendPatch(patchOf(2), 2), renewed.appendPatch(patchOf(9), 9)]);
  });

  it('tries the newest passwords first, whatever store they were brought for', async () => {
    const database = databaseOf(await ownPlace());
    const user = await freshRole(database, 'right');
    const brought = [
      ['one', '1'],
      ['one', '2'],
      ['one', '3'],
      ['other', 'right'],
      ['one', '4'],
    ] as const;
    const providers = brought.map(([store, password]) => open(server.url(database, { user, password }), store));
    await Promise.all(providers.map((provider, i) => provider.appendPatch(patchOf(i), i)));
  });
});

describeOnPostgresql('a password that is asked for', () => {
  /** Where it is counted: no connection is made to renew a lease beside a call that takes its time. */
  const once = { LeaseMs: 600_000 };

  /** What the function says next, and how often it was asked. */
  async function withToken(): Promise<{ database: string; user: string; source: { token: unknown; asked: number } }> {
    const database = databaseOf(await ownPlace());
    return { database, user: await freshRole(database, 'first'), source: { token: 'first', asked: 0 } };
  }

  it('is asked for at each connection, by the next worker too, so that tokens may expire', async () => {
    const { database, user, source } = await withToken();
    const Password = async () => {
      source.asked++;
      return String(source.token);
    };
    const provider = open(server.url(database, { user, password: 'of the URL, and wrong' }), 'store', {
      Password,
      ...once,
    });
    await provider.appendPatch(patchOf(1), 1);
    expect(source.asked).toBe(1);
    source.token = 'second';
    await server.query(`ALTER ROLE "${user}" PASSWORD 'second'`);
    await server.killBackends(database);
    await provider.appendPatch(patchOf(2), 2);
    const { asked } = source;
    expect(asked).toBeGreaterThan(1);
    await Promise.all([...livingWorkers].map((worker) => worker.terminate()));
    await provider.appendPatch(patchOf(3), 3);
    expect(source.asked).toBeGreaterThan(asked);
    expect(await provider.loadPatchesSince(0)).toHaveLength(3);
  });

  it('is waited for as a server that is away, and the reason is told', async () => {
    const { database, user, source } = await withToken();
    const url = server.url(database, { user });
    const ways: [Password: () => Promise<unknown>, reason: RegExp, ConnectTimeoutMs?: number][] = [
      [() => Promise.reject(new Error('no token today')), /the function Password failed: no token today/],
      [() => Promise.reject('no token at all'), /the function Password failed: no token at all/],
      [() => Promise.reject(), /the function Password failed: undefined/],
      [async () => 5, /the function Password failed: it must resolve with a string, not a number/],
      [
        () => new Promise(() => {}),
        /the function Password failed: it did not answer within 100 ms; it is not called/,
        100,
      ],
    ];
    for (const [Password, reason, ConnectTimeoutMs = 60_000] of ways) {
      const options = { Password, RetryForMs: 300, ConnectTimeoutMs } as SDS_ProviderOptions;
      const provider = new SDS_DesktopPersistenceProvider(url, 'store', options);
      await expect(provider.appendPatch(patchOf(1), 1)).rejects.toMatchObject({
        code: 'connection-failed',
        message: expect.stringMatching(reason),
      });
      await provider.close();
    }
    const provider = open(url, 'store', {
      ...once,
      async Password() {
        if (++source.asked < 3) throw new Error('not yet');
        return 'first';
      },
    });
    await provider.appendPatch(patchOf(1), 1);
    expect(source.asked).toBe(3);
  });

  it('that can not be had keeps nobody out who brings another one', async () => {
    const { database, user, source } = await withToken();
    const Password = async () => {
      if (source.token === undefined) throw new Error('no token any more');
      return String(source.token);
    };
    const first = open(server.url(database, { user }), 'store', { Password, RetryForMs: 2000 });
    await first.appendPatch(patchOf(1), 1);
    source.token = undefined;
    await server.killBackends(database);
    const renewed = open(server.url(database, { user, password: 'first' }), 'other', { RetryForMs: 2000 });
    await renewed.appendPatch(patchOf(1), 1);
    // over the same connection
    await first.appendPatch(patchOf(2), 2);
    await server.killBackends(database);
    await Promise.all([first.appendPatch(patchOf(3), 3), renewed.appendPatch(patchOf(2), 2)]);
  });

  it.each([
    ['a word', { password: 'first' }, {}],
    ['a function', {}, { Password: async () => 'first' }],
  ])('that nobody answers keeps no later provider out, who brings %s', async (_, account, options) => {
    const { database, user } = await withToken();
    const patience = { ConnectTimeoutMs: 600_000 };
    for (let i = 0; i < 3; i++) {
      await new Promise<void>((asked) => {
        const Password = () => {
          asked();
          return new Promise<string>(() => {});
        };
        open(server.url(database, { user }), `store ${i}`, { Password, ...patience });
      });
    }
    const later = open(server.url(database, { user, ...account }), 'later', { ...patience, ...options });
    await later.appendPatch(patchOf(1), 1);
    expect(await later.loadPatchesSince(0)).toHaveLength(1);
  });

  it('that can not be had is waited for, also if another provider has brought a wrong one', async () => {
    const { database, user, source } = await withToken();
    const Password = async () => {
      if (++source.asked === 2) throw new Error('not now');
      return 'first';
    };
    const provider = open(server.url(database, { user }), 'store', { Password, ...once });
    await provider.appendPatch(patchOf(1), 1);
    open(server.url(database, { user, password: 'wrong' }), 'other');
    await server.killBackends(database);
    await provider.appendPatch(patchOf(2), 2);
    expect(source.asked).toBe(3);
  });

  it('is asked of no provider that is closed, but of all that are open', async () => {
    const { database, user } = await withToken();
    const asked = [0, 0, 0, 0, 0, 0, 0];
    const providers: SDS_DesktopPersistenceProvider[] = [];
    for (const i of asked.keys()) {
      const provider = open(server.url(database, { user }), `store ${i}`, {
        ...once,
        Password: async () => {
          asked[i] = (asked[i] ?? 0) + 1;
          return 'first';
        },
      });
      providers.push(provider);
      // by then there is a connection: others are asked as well while one does not answer
      await provider.appendPatch(patchOf(1), 1);
    }
    expect(asked.filter((times) => times > 0)).toHaveLength(1);
    // whichever it is that is kept for the next connection
    const [kept, ...others] = [providers[2], ...providers.filter((_, i) => i !== 2)];
    for (const other of others) await other.close();
    const before = [...asked];
    await server.killBackends(database);
    await kept?.appendPatch(patchOf(2), 2);
    expect(asked.map((times, i) => times - (before[i] ?? 0))).toEqual([0, 0, 1, 0, 0, 0, 0]);
  });

  it('keeps nobody out who brought another one later, however many have brought it for one store', async () => {
    const { database, user, source } = await withToken();
    const url = server.url(database, { user });
    const old = { Password: async () => String(source.token), RetryForMs: 2000 };
    for (let i = 0; i < 5; i++) await open(url, 'store', old).appendPatch(patchOf(i), i);
    const renewed = open(url, 'other', { Password: async () => 'first' });
    await renewed.appendPatch(patchOf(1), 1);
    const last = open(url, 'store', old);
    await last.appendPatch(patchOf(5), 5);
    source.token = 'expired';
    await server.killBackends(database);
    await Promise.all([renewed.appendPatch(patchOf(2), 2), last.appendPatch(patchOf(6), 6)]);
  });

  it('keeps no program alive, and is asked for what nobody waited for as well', async () => {
    const { database, user } = await withToken();
    const program = `const provider = new SDS_DesktopPersistenceProvider(${JSON.stringify(server.url(database, { user }))}, 'store', {
      Password: async () => 'first',
    });
    void provider.appendPatch(patchOf(1), 1);`;
    expect(await runProgram(program, database)).toMatchObject({ code: 0, stderr: '' });
    expect((await server.query('SELECT 1 FROM sds_patches', [], database)).length).toBe(1);
  });

  it('can not be asked for as the process ends, and the message says so', async () => {
    const { database, user } = await withToken();
    const program = `const provider = new SDS_DesktopPersistenceProvider(${JSON.stringify(server.url(database, { user }))}, 'store', {
      Password: async () => 'first',
      ConnectTimeoutMs: 300,
      RetryForMs: 0,
    });
    void provider.appendPatch(patchOf(1), 1);
    process.exit();`;
    const { stderr } = await runProgram(program, database);
    expect(stderr).toContain(
      'Password failed: it did not answer within 300 ms; it is not called while its thread is blocked',
    );
  });
});
