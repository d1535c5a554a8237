/** A server that is away for a while: calls wait for it, more than may wait are refused, and in the end all is carried out in order. */
import { SDS_DesktopPersistenceProvider, type SDS_ProviderOptions } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { patchOf } from '../support/files.ts';
import { describeOnPostgresql, postgresql, proxiedPlace, server } from '../support/postgresql.ts';
import { runProgram } from '../support/programs.ts';
import { codeOf } from './outcomes.ts';

/** Of those that wait in vain each takes its time. */
const PATCHES = 8;

/** The first patch is stored; of those after the signal each is as much as may wait, so the second is held. */
const held = (retryForMs: number) => `
  import { writeSync } from 'node:fs';
  const options = { MaxPendingBytes: 60_000, Overflow: 'block', RetryForMs: ${retryForMs} };
  const provider = new SDS_DesktopPersistenceProvider(file, 'store', options);
  await provider.appendPatch(patchOf(1), 1);
  const cut = stayFor(new Promise((resolve) => process.once('SIGUSR2', resolve)));
  writeSync(1, 'open\\n');
  await cut;
  const calls = [provider.appendPatch(new Uint8Array(60_000), 2)];
  writeSync(1, 'held\\n');
  for (let clock = 3; clock <= ${PATCHES}; clock++) calls.push(provider.appendPatch(new Uint8Array(60_000), clock));
  const outcomes = await Promise.allSettled(calls);
  await provider.flush();
  const { Held } = provider.statistics();
  await provider.close();
  console.log(JSON.stringify({ held: Held.Calls, codes: outcomes.map(({ reason }) => reason?.code ?? 'carried out') }));
`;

async function cutOff(options: SDS_ProviderOptions) {
  const { proxy, url, database } = await proxiedPlace();
  const provider = new SDS_DesktopPersistenceProvider(url, 'store', { Acknowledge: 'committed', ...options });
  onTestFinished(() => provider.close());
  await provider.appendPatch(patchOf(1), 1);
  proxy.refuse();
  proxy.cutNow();
  return { provider, proxy, rows: () => postgresql.rowsOf(server.url(database)) };
}

describeOnPostgresql('a server that is away', () => {
  it('what was called meanwhile is carried out when it is back, in order', async () => {
    const { provider, proxy, rows } = await cutOff({});
    const calls = [
      ...Array.from({ length: 500 }, (_, i) => provider.appendPatch(patchOf(i + 2), i + 2)),
      provider.prunePatches(400),
      provider.saveSnapshot(new Uint8Array(1_000_000).fill(3), 400),
      provider.saveValue('value', patchOf('value')),
    ];
    const patches = provider.loadPatchesSince(0);
    await new Promise((resolve) => setTimeout(resolve, 700)); // it is away for some attempts
    proxy.accept();
    await Promise.all(calls);
    expect(await patches).toHaveLength(102);
    expect(await rows()).toMatchObject({ snapshots: [{ clock: 400 }], blobs: [{ ref_count: 1 }] });
  });

  it('calls that waited in vain reject with connection-failed, nothing of them is stored, and later ones are carried out', async () => {
    const { provider, proxy, rows } = await cutOff({ RetryForMs: 300 });
    const calls = [
      provider.appendPatch(patchOf(2), 2),
      provider.saveValue('value', patchOf('value')),
      provider.loadSnapshot(),
      provider.flush(),
    ];
    expect((await Promise.allSettled(calls)).map(codeOf)).toEqual(Array(4).fill('connection-failed'));
    proxy.accept();
    await provider.appendPatch(patchOf(3), 3);
    expect((await rows()).patches.map(({ clock }) => clock)).toEqual([1, 3]);
    expect((await rows()).blobs).toEqual([]);
  });

  it('calls that were made at the same time reject at the same time, also those that wait for each other', async () => {
    const { provider } = await cutOff({ RetryForMs: 1000 });
    const patient = (await cutOff({ RetryForMs: 5000 })).provider;
    const settled: string[] = [];
    const calls = [2, 3, 4, 5].flatMap((clock) => [
      provider.appendPatch(patchOf(clock), clock),
      provider.loadSnapshot(),
    ]);
    const note = async (what: string, those: Promise<unknown>[]) => {
      const outcomes = await Promise.allSettled(those);
      settled.push(what);
      return outcomes.map(codeOf);
    };
    const told = await Promise.all([note('all', calls), note('five times as patient', [patient.loadSnapshot()])]);
    expect(new Set(told.flat())).toEqual(new Set(['connection-failed']));
    expect(settled).toEqual(['all', 'five times as patient']);
  });

  it('a server that has fallen silent is away for those who do not want to wait, long before it is for others', async () => {
    const { provider, proxy } = await cutOff({ RetryForMs: 1000, ConnectTimeoutMs: 1000 });
    proxy.accept();
    await provider.appendPatch(patchOf(2), 2);
    const other = await proxiedPlace();
    for (const line of [proxy, other.proxy]) line.pause();
    const order: unknown[] = [];
    const call = async (one: SDS_DesktopPersistenceProvider, what: string) => {
      const [outcome] = await Promise.allSettled([one.appendPatch(patchOf(3), 3)]);
      order.push(what, codeOf(outcome));
    };
    const patient = new SDS_DesktopPersistenceProvider(other.url, 'store', { RetryForMs: 0, ConnectTimeoutMs: 4500 });
    onTestFinished(() => patient.close());
    await Promise.all([call(patient, 'one attempt, of 4.5 s'), call(provider, 'one second')]);
    expect(order).toEqual(['one second', 'connection-failed', 'one attempt, of 4.5 s', 'connection-failed']);
    for (const line of [proxy, other.proxy]) line.resume();
  });

  it('a server that said nothing is asked again by each call, however little patience that has', async () => {
    const { provider, proxy } = await cutOff({ RetryForMs: 0, ConnectTimeoutMs: 3000 });
    proxy.accept();
    proxy.pause(); // connections are made, and nobody answers
    await expect(provider.appendPatch(patchOf(2), 2)).rejects.toMatchObject({ code: 'connection-failed' });
    proxy.resume();
    await provider.appendPatch(patchOf(3), 3);
  });

  it('a call that is made after others have waited in vain is waited for as long as they were', async () => {
    const { provider, proxy } = await cutOff({ RetryForMs: 5000 });
    await expect(provider.appendPatch(patchOf(2), 2)).rejects.toMatchObject({ code: 'connection-failed' });
    const { refused } = proxy;
    const later = provider.appendPatch(patchOf(3), 3);
    await expect.poll(() => proxy.refused - refused).toBeGreaterThan(1); // it is away for some attempts
    proxy.accept();
    await later;
    expect(await provider.loadPatchesSince(1)).toHaveLength(1);
  });

  it('what is more than MaxPendingBytes is refused, and nothing else is lost', async () => {
    const { provider, proxy, rows } = await cutOff({ MaxPendingBytes: 1_000_000 });
    const calls = Array.from({ length: 3000 }, (_, i) => provider.appendPatch(new Uint8Array(1000).fill(i), i + 2));
    const settled = Promise.allSettled(calls);
    await expect(calls.at(-1)).rejects.toMatchObject({ code: 'queue-full' });
    proxy.accept();
    const outcomes = (await settled).map(codeOf);
    expect(new Set(outcomes)).toEqual(new Set(['carried out', 'queue-full']));
    const stored = outcomes.flatMap((code, i) => (code === 'carried out' ? [i + 2] : []));
    expect((await rows()).patches.map(({ clock }) => clock)).toEqual([1, ...stored]);
  });

  it("with Overflow 'block' the caller is held within the call until the server is back, and all is carried out in order", async () => {
    const { proxy, url, database } = await proxiedPlace();
    // a process of its own: who is held hears nothing, and the line to the server is this one's
    const { stdout, stderr } = await runProgram(held(60_000), url, {
      onOutput: (said, signal) => {
        if (said === 'open\n') {
          proxy.refuse();
          proxy.cutNow();
          signal('SIGUSR2');
        }
        if (said.endsWith('held\n')) proxy.accept();
      },
    });
    expect(stderr).toBe('');
    const { held: calls, codes } = JSON.parse(stdout.split('\n')[2] ?? '');
    expect(calls).toBeGreaterThan(0);
    expect(new Set(codes)).toEqual(new Set(['carried out']));
    const { patches } = await postgresql.rowsOf(server.url(database));
    expect(patches.map(({ clock }) => clock)).toEqual(Array.from({ length: PATCHES }, (_, i) => i + 1));
  });

  it('and if it does not come back, until RetryForMs is over: then the calls that waited reject, and the caller goes on', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const { stdout, stderr } = await runProgram(held(300), url, {
      onOutput: (said, signal) => {
        if (said !== 'open\n') return;
        proxy.refuse();
        proxy.cutNow();
        signal('SIGUSR2');
      },
    });
    expect(stderr).toBe('');
    const { held: calls, codes } = JSON.parse(stdout.split('\n')[2] ?? '');
    expect(calls).toBeGreaterThan(0);
    expect(new Set(codes)).toEqual(new Set(['connection-failed']));
    const { patches } = await postgresql.rowsOf(server.url(database));
    expect(patches.map(({ clock }) => clock)).toEqual([1]);
  });
});
