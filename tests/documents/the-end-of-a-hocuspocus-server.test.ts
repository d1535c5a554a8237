/** However the server ends, what it had of two people's typing is stored. */
import { setImmediate as immediate } from 'node:timers/promises';
import { HocuspocusProvider } from '@hocuspocus/provider';
import type { Extension } from '@hocuspocus/server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freshFile, sqlite } from '../support/files.ts';
import { describeOnPostgresql, postgresql } from '../support/postgresql.ts';
import { ServerProcess } from './hocuspocus-process.ts';
import { type Client, connect, serve, storedText } from './hocuspocus-server.ts';

/** Says at the end how many characters the server had. */
const server = (onChange: string) => `
  let [had, asked] = [0, 0];
  const server = new Server({
    ...common,
    extensions: [
      { priority: 2000, async onStoreDocument() { asked = had; } },
      new HocuspocusPersistence({ database, leaseMs: 1000 }),
    ],
    async onChange({ document }) {
      had = document.getText('text').length;
      ${onChange}
    },
    async afterStoreDocument() { say('stored ' + asked); },
  });
  process.on('exit', () => say('had ' + had));
`;

/** Two people type until the server is gone. */
async function twoType(url: string): Promise<{ clients: Client[]; stop: () => void }> {
  const clients = [await connect(url), await connect(url)];
  const typing = setInterval(() => {
    for (const client of clients) client.type('x');
  }, 4);
  const stop = () => {
    clearInterval(typing);
    for (const client of clients) client.leave(); // else they go on looking for it, and find whoever gets its port
  };
  return { clients, stop };
}

const suite = (freshPlace: () => Promise<string>) => () => {
  it.each([
    ['process.exit() in mid-typing', 'if (had > 200) process.exit(0);', [0, null]],
    [
      'an error that nobody catches',
      'if (had > 200) setImmediate(() => { throw new Error("on purpose"); });',
      [1, null],
    ],
    ['a rejection that nobody handles', 'if (had > 200) throw new Error("on purpose");', [1, null]],
    ['SIGTERM, which the server handles', 'if (had > 200) process.kill(process.pid, "SIGTERM");', [0, null]],
  ])('%s: all that the server had is stored', async (_, onChange, outcome) => {
    const place = await freshPlace();
    const started = await ServerProcess.start(server(onChange), place);
    const { stop } = await twoType(started.url);
    expect(await started.ended).toEqual(outcome);
    stop();
    const had = Number(await started.said(/^had (\d+)$/m));
    expect(had).toBeGreaterThan(200);
    expect(await storedText(place)).toHaveLength(had);
  });

  it('SIGKILL in mid-typing: all that was acknowledged is stored', async () => {
    const place = await freshPlace();
    const started = await ServerProcess.start(server(''), place);
    const { clients, stop } = await twoType(started.url);
    await expect.poll(() => started.stdout.split('stored').length).toBeGreaterThan(5);
    started.child.kill('SIGKILL');
    expect(await started.ended).toEqual([null, 'SIGKILL']);
    stop();
    const stored = Math.max(...[...started.stdout.matchAll(/^stored (\d+)$/gm)].map(([, length]) => Number(length)));
    expect(stored).toBeGreaterThan(0);
    const text = await storedText(place);
    expect(text.length).toBeGreaterThanOrEqual(stored);
    // they come back to another server with what they have: all is there again, once
    const next = await ServerProcess.start(server(''), place);
    const back = await Promise.all(
      clients.map(async ({ document }) => {
        const client = await connect(next.url, 'notes', document);
        await client.heard();
        return client;
      }),
    );
    const all = clients.reduce((sum, { typed }) => sum + typed(), 0);
    const states = () => back.map(({ text, document }) => [text().length, document.store.pendingStructs]);
    const whole = [all, null];
    await expect.poll(states).toEqual([whole, whole]);
    expect(back[0]?.text()).toBe(back[1]?.text());
  });
};

it('a server that is destroyed while it loads a document: nothing keeps the process alive once that is unloaded', async () => {
  const started = await ServerProcess.start(
    `
    let destroyed;
    const gate = {
      async onListen() { setImmediate(load); },
      async onLoadDocument() {
        destroyed = server.destroy();
        await new Promise(setImmediate);
      },
    };
    const server = new Server({
      ...common,
      stopOnSignals: false,
      extensions: [new HocuspocusPersistence({ database }), gate],
    });
    async function load() {
      const direct = await server.hocuspocus.openDirectConnection('notes');
      await direct.disconnect();
      await destroyed;
      say('timers ' + process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length);
    }`,
    freshFile(),
  );
  expect(await started.said(/^timers (.*)$/m)).toBe('0');
});

it('a server that is destroyed while it loads a document, which can not be stored: it is unloaded, and keeps nothing alive', async () => {
  const started = await ServerProcess.start(
    `
    const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
    let destroyed, unloaded;
    const gate = {
      async onListen() { setImmediate(load); },
      async onLoadDocument({ document }) {
        unloaded = new Promise((resolve) => document.once('destroy', resolve));
        destroyed = server.destroy().catch(({ code }) => code);
        globalThis.lock = new DatabaseSync(database); // else it is closed once nobody refers to it
        lock.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
        document.getText('text').insert(0, 'x');
      },
    };
    const server = new Server({
      ...common,
      stopOnSignals: false,
      extensions: [new HocuspocusPersistence({ database, busyTimeoutMs: 10 }), gate],
    });
    async function load() {
      const direct = await server.hocuspocus.openDirectConnection('notes');
      await direct.disconnect();
      const code = await destroyed;
      await unloaded;
      say('timers ' + process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length + ' ' + code);
    }`,
    freshFile(),
  );
  expect(await started.said(/^timers (.*)$/m)).toBe('0 database-busy');
});

it('a server that is destroyed while it loads a document of a client, and stores another one, is destroyed', async () => {
  const [loading, destroying] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let connected = 0;
  const other: Extension = {
    async onLoadDocument({ documentName }) {
      if (documentName !== 'slow') return;
      loading.resolve();
      await destroying.promise;
    },
    async connected() {
      connected++;
    },
  };
  const { server, url } = await serve(freshFile(), { others: [other] });
  const direct = await server.hocuspocus.openDirectConnection('notes');
  const client = new HocuspocusProvider({ url, name: 'slow' });
  onTestFinished(() => client.destroy());
  await loading.promise;
  const destroyed = server.destroy();
  destroying.resolve();
  await expect.poll(() => connected).toBe(1);
  await direct.disconnect();
  await destroyed;
});

it('a document that is asked for while a server that is destroyed waits for another one is not opened', async () => {
  const [loading, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const ending = Promise.withResolvers<void>();
  const before: Extension = {
    priority: 2000,
    async onDestroy() {
      ending.resolve();
    },
  };
  const behind: Extension = {
    async onLoadDocument({ documentName }) {
      if (documentName !== 'slow') return;
      loading.resolve();
      await goOn.promise;
    },
  };
  const { server } = await serve(freshFile(), { others: [before, behind] });
  const slow = server.hocuspocus.openDirectConnection('slow');
  await loading.promise;
  const destroyed = server.destroy();
  await ending.promise;
  await immediate();
  await expect(server.hocuspocus.openDirectConnection('late')).rejects.toMatchObject({ code: 'closed' });
  goOn.resolve();
  await (await slow).disconnect();
  await destroyed;
});

describe('SQLite', suite(sqlite.freshPlace));
describeOnPostgresql('PostgreSQL', suite(postgresql.freshPlace));

it('a change that another extension holds until the server has unloaded its document is not acknowledged', async () => {
  const file = freshFile();
  const [held, unloaded] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let isHolding = false;
  const other: Extension = {
    async beforeHandleMessage() {
      if (!isHolding) return;
      held.resolve();
      await unloaded.promise;
    },
    async afterUnloadDocument() {
      unloaded.resolve();
    },
    async afterHandleMessage({ connection }) {
      if (isHolding) connection.sendStateless('handled'); // behind the acknowledgement
    },
  };
  const served = await serve(file, { others: [other], debounce: 60_000 });
  const direct = await served.server.hocuspocus.openDirectConnection('notes');
  const client = await connect(served.url);
  client.type('stored');
  await client.heard();
  const handled = new Promise((resolve) => client.provider.on('stateless', resolve));
  isHolding = true;
  client.type('!');
  await held.promise;
  const destroyed = served.server.destroy();
  await direct.disconnect();
  await Promise.all([destroyed, handled]);
  expect(client.provider.hasUnsyncedChanges).toBe(true);
  expect(await storedText(file)).toBe('stored');
});
