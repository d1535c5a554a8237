/** Several servers: a document belongs to one of them, or they have it together by way of Redis. */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Redis } from '@hocuspocus/extension-redis';
import { HocuspocusPersistence, importDocuments } from 'sds-persistence-worker/hocuspocus';
import { expect, it, onTestFinished } from 'vitest';
import * as Y from 'yjs';
import { freshFile, freshFolder, rowsOf } from '../support/files.ts';
import { describeOnPostgresql, postgresql } from '../support/postgresql.ts';
import { freePort } from '../support/postgresql-address.ts';
import { ServerProcess } from './hocuspocus-process.ts';
import { connect, serve, storedText, unloaded } from './hocuspocus-server.ts';

const hasRedis = spawnSync('redis-server', ['--version']).status === 0;
const leftOut = hasRedis ? '' : ' (left out: Redis is not installed: apt-get install redis-server)';
const itWithRedis = hasRedis ? it : it.skip;

/** The port of a server of this test's own. */
async function startRedis(): Promise<number> {
  const port = await freePort();
  const folder = freshFolder();
  const child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder]);
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await expect.poll(() => said).toContain('Ready to accept connections');
  return port;
}

const redisOn = (port: number) => new Redis({ host: '127.0.0.1', port, disconnectDelay: 100 });

describeOnPostgresql('PostgreSQL', () => {
  it('a document that is open on one server is refused by another, with a sentence; once it is released, it is not', async () => {
    const place = await postgresql.freshPlace();
    const own = await serve(place, { busyTimeoutMs: 200, leaseMs: 600_000 });
    const direct = await own.server.hocuspocus.openDirectConnection('notes');
    await direct.transact((document) => document.getText('text').insert(0, 'mine'));
    const other = await ServerProcess.start(
      `const persistence = new HocuspocusPersistence({ database, busyTimeoutMs: 200, leaseMs: 1000 });
      const server = new Server({ ...common, extensions: [persistence] });
      const open = async () => {
        try {
          const direct = await server.hocuspocus.openDirectConnection('notes');
          say('opened ' + direct.document.getText('text'));
        } catch ({ code, message }) {
          say('refused ' + code + ': ' + message);
        }
      };
      process.on('SIGUSR2', open);
      await open();`,
      place,
    );
    expect(await other.said(/^refused (.*)$/m)).toMatch(/^fenced: .*belongs to another process/);
    await direct.transact((document) => document.getText('text').insert(4, ' alone'));
    await direct.disconnect();
    await unloaded(own);
    other.child.kill('SIGUSR2');
    expect(await other.said(/^opened (.*)$/m)).toBe('mine alone');
  });

  it('documents are imported while another server has one of them open: that one is named, and all others are imported', async () => {
    const place = await postgresql.freshPlace();
    const other = await ServerProcess.start(
      `const persistence = new HocuspocusPersistence({ database });
      const server = new Server({ ...common, extensions: [persistence] });
      const direct = await server.hocuspocus.openDirectConnection('open');
      process.once('SIGUSR2', async () => {
        await direct.disconnect();
        await server.destroy();
        process.exit();
      });`,
      place,
    );
    const persistence = new HocuspocusPersistence({ database: place, busyTimeoutMs: 200 });
    onTestFinished(() => persistence.destroy());
    const data = Y.encodeStateAsUpdate(new Y.Doc());
    const documents = ['before', 'open', 'behind'].map((name) => ({ name, data }));
    await expect(importDocuments(persistence, documents)).rejects.toMatchObject({
      code: 'fenced',
      message: expect.stringMatching(/1 document is left out: "open" .* 2 were imported now/),
    });
    expect(await persistence.names()).toEqual(['before', 'behind'].sort());
    other.child.kill('SIGUSR2');
    await other.ended;
    expect(await importDocuments(persistence, documents)).toEqual({ imported: 1, skipped: 2 });
  });

  it('a server that was killed: the next one opens its documents once the lease has run out, and refuses nobody meanwhile', async () => {
    const place = await postgresql.freshPlace();
    const killed = await ServerProcess.start(
      `let begun;
const first = { priority: 2000, async onStoreDocument({ document }) { begun = document.getText('text').toString(); } };
const extensions = [first, new HocuspocusPersistence({ database, leaseMs: 3000 })];
const server = new Server({ ...common, extensions, async afterStoreDocument() { say('stored ' + begun); } });`,
      place,
    );
    const client = await connect(killed.url);
    client.type('typed');
    await killed.said(/^stored (typed)$/m);
    killed.child.kill('SIGKILL');
    await killed.ended;
    const next = await serve(place, { leaseMs: 3000 });
    expect((await connect(next.url)).text()).toBe('typed');
  });

  it('a server that has lost a document while people had it open: it closes their connections and lets it go, and what they have comes along', async () => {
    const place = await postgresql.freshPlace();
    const paused = await ServerProcess.start(
      `const onError = ({ code }, name) => say('told ' + name + ' ' + code);
      const persistence = new HocuspocusPersistence({ database, leaseMs: 1000, onError });
      const server = new Server({ ...common, extensions: [persistence], async afterUnloadDocument() { say('unloaded ok'); } });
      process.on('SIGUSR2', async () => { await server.destroy(); say('destroyed ok'); });`,
      place,
    );
    const client = await connect(paused.url);
    client.type('one ');
    await expect.poll(async () => (await postgresql.rowsOf(place)).patches).toHaveLength('one '.length);
    const closed = new Promise((resolve) => client.provider.on('close', resolve));
    paused.child.kill('SIGSTOP'); // for longer than its lease
    const next = await serve(place, { leaseMs: 600_000 });
    const other = await connect(next.url);
    expect(other.text()).toBe('one ');
    other.type('two ');
    await other.heard();
    paused.child.kill('SIGCONT');
    client.type('three ');
    expect(await closed).toMatchObject({ event: { reason: 'Reset Connection' } });
    await paused.said(/^unloaded (ok)$/m);
    expect(await paused.said(/^told (.*)$/m)).toBe('notes fenced');
    // its window goes where the document belongs, and has it all
    const back = await connect(next.url, 'notes', client.document);
    await expect.poll(() => [...other.text()].sort().join('')).toBe([...'one two three '].sort().join(''));
    expect(back.text()).toBe(other.text());
    // and once it is free there, it may be opened again where it was lost
    for (const one of [back, other]) one.leave();
    await unloaded(next);
    expect((await connect(paused.url)).text()).toBe(other.text());
    paused.child.kill('SIGUSR2');
    await paused.said(/^destroyed (ok)$/m);
  });

  itWithRedis(`two servers that share a database, by way of Redis${leftOut}: each stores its own`, async () => {
    const place = await postgresql.freshPlace();
    const port = await startRedis();
    const servers = await Promise.all([1, 2].map(() => serve(place, { ownership: 'shared', others: [redisOn(port)] })));
    const clients = await Promise.all(servers.map(({ url }) => connect(url)));
    for (let round = 0; round < 50; round++) for (const client of clients) client.type('x');
    await expect.poll(() => clients.map((client) => client.text().length)).toEqual([100, 100]);
    await Promise.all(clients.map((client) => client.heard()));
    for (const served of servers) await served.persistence.names(); // all before is stored
    expect((await postgresql.rowsOf(place)).patches).toHaveLength(100);
    for (const client of clients) client.leave();
    for (const served of servers) await unloaded(served);
    for (const { server } of servers) await server.destroy();
    expect(await storedText(place)).toHaveLength(100);
  });
});

itWithRedis(
  `two servers with a file each, by way of Redis${leftOut}: each file has all that came while both had it open`,
  async () => {
    const port = await startRedis();
    const files = [freshFile(), join(freshFolder(), 'other.db')];
    const servers = await Promise.all(files.map((file) => serve(file, { others: [redisOn(port)] })));
    const clients = await Promise.all(servers.map(({ url }) => connect(url)));
    for (let round = 0; round < 50; round++) for (const client of clients) client.type('x');
    await expect.poll(() => clients.map((client) => client.text().length)).toEqual([100, 100]);
    await Promise.all(clients.map((client) => client.heard()));
    for (const client of clients) client.leave();
    for (const served of servers) await unloaded(served);
    for (const { server } of servers) await server.destroy();
    for (const file of files) {
      expect(rowsOf(file).patches.length).toBeGreaterThan(50);
      expect(await storedText(file)).toHaveLength(100);
    }
  },
);
