/** In whose asynchronous context callbacks run: in that of their own call; and no call's is kept once it is over. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backupDatabase, SDS_DesktopPersistenceProvider, verifyDatabase } from 'sds-persistence-worker';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { livingWorkers } from '../../torture/living-workers.ts';
import { nodes } from '../package/a-fresh-machine.ts';
import { freshFile, freshFolder, patchOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

const requests = new AsyncLocalStorage<string>();

/** Notes in which request each event of a tracing channel is heard, until the test has ended. */
function heard(name: string): string[] {
  const found: string[] = [];
  const hear = (event: string) => () => void found.push(`${event} in ${requests.getStore()}`);
  const subscribers = {
    start: hear('start'),
    end: hear('end'),
    asyncStart: hear('asyncStart'),
    asyncEnd: hear('asyncEnd'),
    error: hear('error'),
  };
  const tracing = tracingChannel(`sds-persistence:${name}`);
  tracing.subscribe(subscribers);
  onTestFinished(() => void tracing.unsubscribe(subscribers));
  return found;
}

const eventsIn = (request: string) =>
  ['start', 'end', 'asyncStart', 'asyncEnd'].map((event) => `${event} in ${request}`);

// the first thread of each kind is made in a request, as in a server that opens its databases when it needs them
beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sds-'));
  await requests.run('the first', async () => {
    const file = join(folder, 'first.db');
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await provider.appendPatch(patchOf(1), 1);
    await backupDatabase(file, `${file}.saved`);
    await provider.close();
  });
  rmSync(folder, { recursive: true });
});

it('the events of a load, an opening and a backup are told in the request that made the call', async () => {
  const [opens, loads, backups] = [heard('open'), heard('load'), heard('backup')];
  const file = freshFile();
  const provider = requests.run('opening', () => new SDS_DesktopPersistenceProvider(file, 'store'));
  await provider.ready();
  await Promise.all([
    requests.run('one', () => provider.loadSnapshot()),
    requests.run('two', () => provider.loadPatchesSince(0)),
  ]);
  await requests.run('backing up', () => provider.backup(`${file}.saved`));
  await provider.close();
  expect(opens).toEqual(eventsIn('opening'));
  expect(loads.toSorted()).toEqual([...eventsIn('one'), ...eventsIn('two')].toSorted());
  expect(backups).toEqual(eventsIn('backing up'));
});

it('those of a batch in the request with its first call, whoever waits, and whoever was first to write', async () => {
  await using provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store');
  await provider.ready();
  const commits = heard('commit');
  for (const request of ['one', 'two', 'three']) {
    await requests.run(request, () => provider.appendPatch(patchOf(request), request.length));
  }
  expect(commits).toEqual([...eventsIn('one'), ...eventsIn('two'), ...eventsIn('three')]);
});

it('OnProgress of each of several operations runs in the request that called it', async () => {
  const file = freshFile();
  const provider = new SDS_DesktopPersistenceProvider(file, 'store');
  for (let clock = 1; clock <= 300; clock++) void provider.appendPatch(new Uint8Array(20_000), clock);
  await provider.close();
  const found: Record<string, Set<string | undefined>> = {};
  const operation = (request: string, call: (OnProgress: () => void) => Promise<unknown>) =>
    requests.run(request, () => {
      const stores = new Set<string | undefined>();
      found[request] = stores;
      return call(() => void stores.add(requests.getStore()));
    });
  const target = join(freshFolder(), 'saved.db');
  await operation('backup', (OnProgress) => backupDatabase(file, target, { OnProgress }));
  await operation('verify', (OnProgress) => verifyDatabase(file, { OnProgress }));
  await operation('again', (OnProgress) => backupDatabase(file, target, { OnProgress, Overwrite: true }));
  for (const [request, stores] of Object.entries(found)) expect([...stores], request).toEqual([request]);
});

it('a lost thread, a warning and a number that is taken belong to nobody', async () => {
  const seen: unknown[] = [];
  const hear = (_: unknown, name: string | symbol) => void seen.push([name, requests.getStore()]);
  for (const name of ['collision', 'worker-lost']) {
    subscribe(`sds-persistence:${name}`, hear);
    onTestFinished(() => void unsubscribe(`sds-persistence:${name}`, hear));
  }
  const warned = new Promise((resolve) => {
    process.once('warning', ({ name }) => resolve([name, requests.getStore()]));
  });
  await requests.run('a request', async () => {
    await using provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store');
    await provider.appendPatch(patchOf(1), 1);
    await provider.appendPatch(patchOf(2), 1);
    await Promise.all([...livingWorkers].map((worker) => worker.terminate()));
    await provider.appendPatch(patchOf(3), 3);
  });
  expect(await warned).toEqual(['SDS_PersistenceWarning', undefined]);
  expect(seen).toContainEqual(['sds-persistence:collision', undefined]);
  expect(seen).toContainEqual(['sds-persistence:worker-lost', undefined]);
  expect(seen.filter((one) => (one as unknown[])[1] !== undefined)).toEqual([]);
});

it.each(Object.entries(nodes))(
  'Node %s: what a request keeps is free once it is over, though its provider and all threads live on',
  async (_, node) => {
    const program = `import { AsyncLocalStorage } from 'node:async_hooks';
import { backupDatabase } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)};
const requests = new AsyncLocalStorage();
const kept = {};
let provider;
async function request(name, call) {
  const store = { name, bytes: new Uint8Array(1000) };
  kept[name] = new WeakRef(store);
  await requests.run(store, call);
}
await request('opening', async () => {
  provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await provider.ready();
});
await request('awaited', () => provider.appendPatch(patchOf(1), 1));
await request('not awaited', async () => void provider.appendPatch(patchOf(2), 2));
await request('large', () => provider.saveValue('large', new Uint8Array(300_000)));
await request('loading', () => provider.loadPatchesSince(0));
await request('backup', () => backupDatabase(file, file + '.saved'));
await request('closing', async () => {
  const another = new SDS_DesktopPersistenceProvider(file + '.other', 'store');
  await another.appendPatch(patchOf(1), 1);
  await another.close();
});
await provider.flush();
const left = () => Object.keys(kept).filter((name) => kept[name].deref() !== undefined);
// nothing tells that a thread has let go of it: look for half a minute
for (let i = 0; i < 600 && left().length > 0; i++) {
  await new Promise((resolve) => setTimeout(resolve, 50)); // what is weak is let go of between two jobs
  gc();
}
console.log(left().join() || 'nothing is kept');
await provider.close();`;
    const ended = await runProgram(program, freshFile(), { node, flags: ['--expose-gc'] });
    expect(ended).toMatchObject({ code: 0, stdout: 'nothing is kept\n' });
  },
);
