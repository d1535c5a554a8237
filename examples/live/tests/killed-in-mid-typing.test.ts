/** A server or its worker is killed while people type: what was acknowledged as durable is in the file. */
import { afterEach, describe, expect, it } from 'vitest';
import { sides } from '../protocol/control.ts';
import { freshFolder, noPackages, startServer } from './support.ts';

if (noPackages !== undefined) console.warn(`examples/live, killed in mid-typing: ${noPackages}`);

describe.skipIf(noPackages !== undefined)('in mid-typing', async () => {
  if (noPackages !== undefined) return;
  const Y = await import('yjs');
  const { Client, closeOf } = await import('./client.ts');
  const { openProvider } = await import('../server/provider.ts');
  const { DocumentStore } = await import('../server/document-store.ts');
  const { databaseIn } = await import('../server/rooms.ts');

  const timers: NodeJS.Timeout[] = [];
  afterEach(() => {
    for (const timer of timers.splice(0)) clearInterval(timer);
  });

  /** Types until told otherwise, also while it is not connected. */
  function type(client: InstanceType<typeof Client>, name: string): () => void {
    let i = 0;
    const timer = setInterval(() => client.text.insert(client.text.length, `${name}${i++} `), 1);
    timers.push(timer);
    return () => clearInterval(timer);
  }

  /** What is in the file, read by nobody's server. */
  async function readFile(folder: string, room: string) {
    const provider = openProvider('synchronous', databaseIn(folder), room);
    const ignore = () => undefined;
    const { updates } = await DocumentStore.open(provider, {
      encode: () => new Uint8Array(),
      pictureBytes: () => 0,
      durable: ignore,
      failed: ignore,
      inside: ignore,
      savedSnapshot: ignore,
    });
    await provider.close();
    const doc = new Y.Doc();
    for (const update of updates) Y.applyUpdate(doc, update);
    return doc;
  }

  it.each(sides)('SIGKILL for the server with the %s provider: nothing acknowledged is missing', async (side) => {
    const folder = freshFolder();
    const rooms = ['one', 'two', 'three'];
    const server = await startServer(side, folder);
    const clients = await Promise.all(
      rooms.flatMap((room) => [1, 2].map(async () => ({ room, client: await new Client(server.room(room)).opened() }))),
    );
    const stops = clients.map(({ client }, index) => type(client, `${index}.`));
    await Promise.all(clients.map(({ client }) => client.until(() => client.durableClock > 400)));
    expect(await server.end('SIGKILL')).toBe('SIGKILL');
    for (const stop of stops) stop();
    for (const { room, client } of clients) {
      const found = Y.getState((await readFile(folder, room)).store, client.doc.clientID);
      expect(found).toBeGreaterThanOrEqual(client.durableClock);
    }

    // and once it is back, those who were cut off bring the rest
    const again = await startServer(side, folder);
    for (const room of rooms) {
      const docs = clients.filter((one) => one.room === room).map(({ client }) => client.doc);
      const back = await Promise.all(
        docs.map(async (doc) => {
          const client = new Client(again.room(room));
          Y.applyUpdate(client.doc, Y.encodeStateAsUpdate(doc));
          return client.opened();
        }),
      );
      const [first, second] = back;
      if (first === undefined || second === undefined) throw new Error('two to a room');
      const all = new Y.Doc();
      for (const doc of docs) Y.applyUpdate(all, Y.encodeStateAsUpdate(doc));
      const expected = all.getText('document').toString();
      await Promise.all(back.map((client) => client.until(() => client.text.toString() === expected)));
    }
  });

  it('the worker is killed again and again: every key press becomes durable, and none is rejected', async () => {
    const folder = freshFolder();
    const server = await startServer('worker', folder);
    const client = await new Client(server.room('room')).opened();
    const stop = type(client, 'w');
    for (let kill = 1; kill <= 3; kill++) {
      const before = client.durableClock;
      await client.until(() => client.durableClock > before + 100);
      server.order({ kind: 'kill-worker' });
      const told = new Promise<string>((resolve) => {
        server.child.on('message', (report: { kind: string; text?: string }) => {
          if (report.kind === 'happened' && report.text !== undefined) resolve(report.text);
        });
      });
      expect(await told).toMatch(/The worker was killed with .* All of them are in the file after/);
    }
    stop();
    await client.allDurable();
    const closed = closeOf(client.socket);
    expect(await server.end('SIGTERM')).toBe(0);
    await closed;
    expect((await readFile(folder, 'room')).getText('document').toString()).toBe(client.text.toString());
  });
});
