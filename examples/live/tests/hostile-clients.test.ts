/** Whatever a client does: its own connection ends, with a reason, and the server and the others go on. */
import { createConnection } from 'node:net';
import { describe, expect, it } from 'vitest';
import { freshFolder, noPackages, startServer } from './support.ts';

if (noPackages !== undefined) console.warn(`examples/live, hostile clients: ${noPackages}`);

describe.skipIf(noPackages !== undefined)('a server of the live example', async () => {
  if (noPackages !== undefined) return;
  const { WebSocket } = await import('ws');
  const Y = await import('yjs');
  const { Client, closeOf, endAfter, handshake } = await import('./client.ts');
  const { encodeAwareness, encodeSync, SYNC_UPDATE } = await import('../protocol/messages.ts');
  const { limits } = await import('../server/limits.ts');

  /** Two people still hear each other. */
  async function stillWorks(address: string): Promise<void> {
    const writer = await new Client(address).opened();
    const reader = await new Client(address).opened();
    const word = `word ${Math.random()}`;
    writer.text.insert(0, word);
    await reader.until(() => reader.text.toString().includes(word));
    await writer.allDurable();
    await Promise.all([writer.close(), reader.close()]);
  }

  it('ends the connection of whoever sends what can not be read', async () => {
    const server = await startServer('worker', freshFolder());
    const address = server.room('hostile');
    const random = Uint8Array.from({ length: 5000 }, () => Math.floor(Math.random() * 256));
    for (const message of [
      new Uint8Array(0),
      Uint8Array.of(255, 255, 255),
      Uint8Array.of(77),
      Uint8Array.of(0, 9, 0),
      Uint8Array.of(0, 2, 200, 1),
      encodeSync(SYNC_UPDATE, Uint8Array.of(9, 9, 9, 9, 9, 9)),
      encodeAwareness(Uint8Array.of(1, 1, 1, 3, 123, 123, 123)),
      Uint8Array.of(0, 2, ...random),
      'text',
    ]) {
      const { code, reason } = await endAfter(address, message);
      expect({ code, reason }, String(message).slice(0, 40)).toEqual({
        code: 1007,
        reason: expect.stringMatching(/./),
      });
    }
    await stillWorks(address);
  });

  it('refuses a message of 100 MB before it has it in memory', async () => {
    const server = await startServer('worker', freshFolder());
    const socket = new WebSocket(server.room('hostile'));
    const closed = closeOf(socket);
    socket.once('open', () => socket.send(new Uint8Array(100 * 1024 * 1024)));
    expect((await closed).code).toBe(1009);
    await stillWorks(server.room('hostile'));
  });

  it('refuses a document without bounds, updates without those before them, and cursors by the dozen', async () => {
    const server = await startServer('worker', freshFolder());
    const doc = new Y.Doc();
    const updates: Uint8Array[] = [];
    doc.on('update', (update: Uint8Array) => updates.push(encodeSync(SYNC_UPDATE, update)));
    for (let i = 0; i < 5; i++) doc.getText('t').insert(0, 'x'.repeat(4 * 1024 * 1024));
    expect(await endAfter(server.room('large'), ...updates)).toEqual({ code: 1009, reason: 'the document is full' });

    const gap = updates.slice(1, 2);
    expect(await endAfter(server.room('gap'), ...gap)).toEqual({
      code: 1008,
      reason: 'too many updates without those before them',
    });

    const cursors = Array.from({ length: limits.cursors + 1 }, (_, i) => Uint8Array.of(1, i + 1, 1, 2, 123, 125));
    expect(await endAfter(server.room('cursors'), ...cursors.map(encodeAwareness))).toEqual({
      code: 1008,
      reason: 'too many cursors',
    });
    await stillWorks(server.room('cursors'));
  });

  it('takes no room with rubbish for a name', async () => {
    const server = await startServer('worker', freshFolder());
    for (const name of ['', '..%2f..%2fetc', 'a/b', 'x'.repeat(65), '%00', "';DROP TABLE patches;--", '-']) {
      expect(await handshake(server.room(name)), name).toBe(400);
    }
    expect(await handshake(server.room('a-room-9'))).toBe(101);
  });

  it('takes no page but its own', async () => {
    const server = await startServer('worker', freshFolder(), ['--page-port', '4100']);
    const address = server.room('room');
    for (const origin of [
      'https://example.com',
      'http://127.0.0.1:4101',
      'http://127.0.0.1.example.com:4100',
      'null',
    ]) {
      expect(await handshake(address, { origin }), origin).toBe(403);
    }
    expect(await handshake(address, { origin: `http://example.com:4100`, host: 'example.com' })).toBe(403);
    expect(await handshake(address, { origin: 'http://127.0.0.1:4100' })).toBe(101);
  });

  it('serves 1,000 sockets at once, and has none of them left afterwards', async () => {
    const server = await startServer('worker', freshFolder());
    const address = server.room('crowd');
    const sockets = Array.from({ length: 1000 }, () => new WebSocket(address, { perMessageDeflate: false }));
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('open', resolve))));
    await stillWorks(address);
    await Promise.all(
      sockets.map((socket) => {
        const closed = closeOf(socket);
        socket.close();
        return closed;
      }),
    );
    const left = new Promise<number>((resolve) => {
      server.child.on('message', (report: { kind: string; sample?: { sockets: number; rooms: number } }) => {
        // the room is closed some time after the last has left
        if (report.sample?.sockets === 0 && report.sample.rooms === 0) resolve(0);
      });
    });
    expect(await left).toBe(0);
  });

  it('disconnects who never reads, once too much waits for it', async () => {
    const server = await startServer('worker', freshFolder());
    const address = server.room('deaf');
    const deaf = createConnection({ port: server.port, host: '127.0.0.1' });
    const gone = new Promise((resolve) => deaf.on('error', resolve).on('close', resolve));
    deaf.write(
      `GET /deaf HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n` +
        'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    deaf.pause();
    const writer = await new Client(address).opened();
    const told = server.whenHappened(/did not read/);
    let done = false;
    void told.then(() => {
      done = true;
    });
    // what is written and deleted again does not fill the document, but each of it is passed on
    for (let i = 0; !done && i < 200; i++) {
      const before = writer.passedOn;
      writer.text.insert(0, 'x'.repeat(256 * 1024));
      writer.text.delete(0, 256 * 1024);
      await writer.until(() => writer.passedOn >= before + 2);
    }
    expect(await told).toMatch(/bytes unread/);
    deaf.resume();
    await gone;
    await writer.close();
    await stillWorks(server.room('elsewhere'));
  });

  it.each(['worker', 'synchronous'] as const)('ends although somebody comes in while it stops (%s)', async (side) => {
    const server = await startServer(side, freshFolder());
    server.order({ kind: 'megabytes', megabytes: 64 }); // so that saving takes its time
    const client = await new Client(server.room('room')).opened();
    client.text.insert(0, 'something to save');
    await client.until(() => client.passedOn > 0);
    const guest = createConnection({ port: server.port, host: '127.0.0.1' });
    const gone = new Promise((resolve) => guest.on('error', () => undefined).on('close', resolve));
    guest.resume();
    // half of a request: the connection is neither idle nor a socket yet
    await new Promise((resolve) =>
      guest.write(`GET /late HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nConnection: Upgrade\r\n`, resolve),
    );
    const closed = closeOf(client.socket);
    const ended = server.end('SIGTERM');
    expect((await closed).code).toBe(1001);
    guest.write(
      'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    await gone;
    expect(await ended).toBe(0);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('ends cleanly on %s, with all documents saved', async (signal) => {
    const folder = freshFolder();
    const server = await startServer('worker', folder);
    const client = await new Client(server.room('room')).opened();
    client.text.insert(0, 'the last words');
    await client.until(() => client.passedOn > 0);
    const closed = closeOf(client.socket);
    expect(await server.end(signal)).toBe(0);
    expect((await closed).code).toBe(1001);
    const again = await startServer('worker', folder);
    const reader = await new Client(again.room('room')).opened();
    await reader.until(() => reader.text.toString() === 'the last words');
  });
});
