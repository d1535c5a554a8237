/** Several databases on one worker: what one server does is nothing to the others. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { SDS_DesktopPersistenceProvider, type SDS_ProviderOptions } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { patchOf } from '../support/files.ts';
import { describeOnPostgresql, ownPlace, proxiedPlace, server } from '../support/postgresql.ts';

// read when a worker is started: all of this file's databases are on one
process.env.SDS_PERSISTENCE_WORKERS = '1';

function open(url: string, options: SDS_ProviderOptions = {}): SDS_DesktopPersistenceProvider {
  const provider = new SDS_DesktopPersistenceProvider(url, 'store', options);
  onTestFinished(() => provider.close());
  return provider;
}

/** Resolves once the process has heard of a commit in a database. */
function commitTold(database: string): Promise<void> {
  const name = 'tracing:sds-persistence:commit:asyncEnd';
  const { promise, resolve } = Promise.withResolvers<void>();
  const listener = (message: unknown) => {
    if (String((message as { Path: string }).Path).includes(database)) resolve();
  };
  subscribe(name, listener);
  onTestFinished(() => void unsubscribe(name, listener));
  return promise;
}

describeOnPostgresql('several databases', () => {
  it('what holds for a whole database can not be given in two ways', async () => {
    const url = await ownPlace();
    const first = open(url, { LeaseMs: 5000 });
    expect(() => open(url, { LeaseMs: 6000 })).toThrow(
      expect.objectContaining({
        code: 'invalid-argument',
        message: expect.stringMatching(/LeaseMs is 6000, but .* with 5000, which holds for both/),
      }),
    );
    // who gives none takes the first one's
    const others = [open(url), open(url, { LeaseMs: 5000 })];
    await Promise.all([first, ...others].map((provider) => provider.ready()));
  });

  it('one server that is away does not keep the commits of another one from being told, waited for or not', async () => {
    const { proxy, url } = await proxiedPlace();
    const [away, there] = [open(url, { RetryForMs: 600_000 }), open(await ownPlace())];
    await Promise.all([away.appendPatch(patchOf(1), 1), there.appendPatch(patchOf(1), 1)]);
    proxy.refuse();
    proxy.cutNow();
    // a listener for its failure alone does not wait for a commit
    const failed: unknown[] = [];
    away.appendPatch(patchOf(2), 2).catch((error) => failed.push(error));
    const told = commitTold(there.statistics().Path);
    there.appendPatch(patchOf(2), 2).catch((error) => failed.push(error));
    await told;
    proxy.accept();
    await away.flush();
    expect(failed).toEqual([]);
  });

  it('an answer that can not be read ends its connection, and not the thread that others are on as well', async () => {
    const { proxy, url } = await proxiedPlace();
    const garbled = open(url, { LeaseMs: 600_000 }); // no connection is made but for calls
    const there = open(await ownPlace());
    await Promise.all([garbled.appendPatch(patchOf(1), 1), there.appendPatch(patchOf(1), 1)]);
    const lost: unknown[] = [];
    const listener = (message: unknown) => lost.push(message);
    subscribe('sds-persistence:worker-lost', listener);
    onTestFinished(() => void unsubscribe('sds-persistence:worker-lost', listener));
    for (let clock = 2; clock < 5; clock++) {
      const { made } = proxy;
      // a row with nothing in it, not even the number of its values
      proxy.say(new Uint8Array([0x44, 0, 0, 0, 4]));
      await expect.poll(() => proxy.connections).toBe(0);
      await Promise.all([garbled.appendPatch(patchOf(clock), clock), there.appendPatch(patchOf(clock), clock)]);
      expect(proxy.made).toBe(made + 1);
    }
    expect(await garbled.loadPatchesSince(0)).toHaveLength(4);
    expect(await there.loadPatchesSince(0)).toHaveLength(4);
    expect(lost).toEqual([]);
  });

  it('a server that asks for a way to log in that is not known: open-failed, and the thread goes on for the others', async () => {
    const kerberos = createServer((socket) => {
      socket.on('error', () => undefined); // it is left in the middle
      // AuthenticationGSS, as for a line of pg_hba.conf with `gss`
      socket.once('data', () => socket.write(new Uint8Array([0x52, 0, 0, 0, 8, 0, 0, 0, 7])));
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void kerberos.close());
    await once(kerberos, 'listening');
    const { port } = kerberos.address() as AddressInfo;
    const there = open(await ownPlace());
    await there.appendPatch(patchOf(1), 1);
    const lost: unknown[] = [];
    const listener = (message: unknown) => lost.push(message);
    subscribe('sds-persistence:worker-lost', listener);
    onTestFinished(() => void unsubscribe('sds-persistence:worker-lost', listener));
    const ready = open(server.url('any', { port })).ready();
    const written = there.appendPatch(patchOf(2), 2);
    await expect(ready).rejects.toMatchObject({
      code: 'open-failed',
      message: expect.stringMatching(/can not be read/),
    });
    await written;
    expect(lost).toEqual([]);
  });
});
