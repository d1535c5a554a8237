/** Real servers of Yjs, and real clients: what they type is there after the server has gone, and comes to who is there next. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { YjsPersistence } from 'sds-persistence-worker/yjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { freshFile } from '../support/files.ts';
import { storedText, textOf, type } from './documents.ts';

interface ServerPackage {
  setPersistence(persistence: unknown): void;
  setupWSConnection(connection: unknown, request: unknown): void;
  docs: Map<string, unknown>;
}

const require = createRequire(import.meta.url);

/** Each with the Yjs that it uses itself. */
const packages = {
  'y-websocket 2': async () => ({
    server: require('y-websocket/bin/utils') as ServerPackage,
    Y: require('yjs') as typeof Y,
  }),
  '@y/websocket-server': async () => ({
    server: (await import('@y/websocket-server/utils')) as unknown as ServerPackage,
    Y,
  }),
};

describe.each(Object.entries(packages))('%s', (_name, load) => {
  async function serverOn(file: string) {
    const { server, Y: ofServer } = await load();
    const persistence = new YjsPersistence(file, { Y: ofServer });
    server.setPersistence(persistence);
    const http = createServer();
    const sockets = new WebSocketServer({ server: http });
    sockets.on('connection', (connection, request) => server.setupWSConnection(connection, request));
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    const end = async () => {
      for (const client of sockets.clients) client.terminate();
      sockets.close();
      http.close();
      await expect.poll(() => server.docs.size).toBe(0);
      await persistence.destroy();
    };
    return { address: `ws://127.0.0.1:${(http.address() as AddressInfo).port}`, persistence, end };
  }

  async function client(address: string) {
    const doc = new Y.Doc();
    const provider = new WebsocketProvider(address, 'notes', doc, {
      WebSocketPolyfill: WebSocket as never,
      disableBc: true,
    });
    onTestFinished(() => provider.destroy());
    await expect.poll(() => provider.synced).toBe(true);
    return { doc, provider };
  }

  it('two clients type; all of it is there when the server has gone, and in the next one', async () => {
    const file = freshFile();
    const first = await serverOn(file);
    const [one, other] = [await client(first.address), await client(first.address)];
    type(one.doc, 'one types ');
    type(other.doc, 'the other too ');
    await expect.poll(() => textOf(one.doc)).toHaveLength(24);
    await expect.poll(() => textOf(other.doc)).toBe(textOf(one.doc));
    one.provider.destroy();
    other.provider.destroy();
    await first.end();
    expect(await storedText(file)).toBe(textOf(one.doc));
    const second = await serverOn(file);
    const next = await client(second.address);
    await expect.poll(() => textOf(next.doc)).toBe(textOf(one.doc));
    next.provider.destroy();
    await second.end();
  });

  it('the last one leaves and comes back at once, again and again: nothing is lost between', async () => {
    const file = freshFile();
    const { address, end } = await serverOn(file);
    for (let round = 0; round < 10; round++) {
      const { doc, provider } = await client(address);
      await expect.poll(() => textOf(doc)).toHaveLength(round);
      type(doc, String(round));
      const { promise, resolve } = Promise.withResolvers<void>();
      provider.ws?.close(1000); // behind what was sent
      provider.on('connection-close', () => resolve());
      await promise;
      provider.destroy();
    }
    await end();
    expect(await storedText(file)).toBe('0123456789');
  });

  it('a client that sends rubbish changes nothing of what is stored', async () => {
    const file = freshFile();
    const { address, end } = await serverOn(file);
    const { doc, provider } = await client(address);
    type(doc, 'good');
    const bad = new WebSocket(`${address}/notes`);
    await once(bad, 'open');
    for (const bytes of [
      [0, 2, 250, 255, 255, 255],
      [0, 2, 4, 1, 255, 255, 7],
      [9, 9, 9],
      [0, 1, 1, 0],
    ]) {
      bad.send(new Uint8Array(bytes));
    }
    bad.close();
    await once(bad, 'close');
    type(doc, ' and on');
    const watcher = await client(address);
    await expect.poll(() => textOf(watcher.doc)).toBe('good and on');
    provider.destroy();
    watcher.provider.destroy();
    await end();
    expect(await storedText(file)).toBe('good and on');
  });
});
