/** The server of the example without its page: it is killed while people type, and the next one has what was stored. */
import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { YjsPersistence } from 'sds-persistence-worker/yjs';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import type { Engine } from '../../../tests/support/engine.ts';
import { sqlite } from '../../../tests/support/files.ts';
import { describeOnPostgresql, postgresql } from '../../../tests/support/postgresql.ts';
import { DOCUMENT, WORKER } from '../../killed-server/protocol.ts';
import { SupervisedServer } from '../../killed-server/supervised-server.ts';

/** Of a client that asks for a document and goes at once. */
const UPGRADE = [
  'GET /left HTTP/1.1',
  'Host: localhost',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
  '\r\n',
].join('\r\n');

async function connect(server: SupervisedServer) {
  const document = new Y.Doc();
  const provider = new WebsocketProvider(`ws://127.0.0.1:${server.state.port}`, DOCUMENT, document, {
    WebSocketPolyfill: WebSocket as never,
    disableBc: true,
  });
  onTestFinished(() => provider.destroy());
  await new Promise((resolve) => provider.once('sync', resolve));
  return { text: document.getText('text'), provider };
}

function itIsThereAgain({ name, freshPlace, rowsOf }: Engine): void {
  it(`${name}: what was stored when the server was killed is there at once in the next one, and what follows it as it was typed`, async () => {
    const database = await freshPlace();
    const server = new SupervisedServer(join(import.meta.dirname, '../server.ts'), WORKER, database);
    onTestFinished(() => server.stop());
    await server.start();
    const [one, other] = [await connect(server), await connect(server)];
    const typing = setInterval(() => one.text.insert(one.text.length, String(one.text.length % 10)), 2);
    onTestFinished(() => clearInterval(typing));
    await expect.poll(() => other.text.length).toBeGreaterThan(100);
    // a character each, as long as they are not merged
    await expect.poll(async () => (await rowsOf(database)).patches.length).toBeGreaterThan(100);
    const stored = (await rowsOf(database)).patches.length;
    await server.kill();
    clearInterval(typing);
    for (const { provider } of [one, other]) provider.destroy();

    await server.start();
    const next = await connect(server);
    expect(one.text.toString().startsWith(next.text.toString())).toBe(true);
    expect(next.text.length).toBeGreaterThanOrEqual(stored);
  });
}

itIsThereAgain(sqlite);
describeOnPostgresql('on a database server', () => {
  itIsThereAgain(postgresql);

  it('a document whose client has gone while it was loaded is released: another process gets it', async () => {
    const database = await postgresql.freshPlace();
    const server = new SupervisedServer(join(import.meta.dirname, '../server.ts'), WORKER, database);
    onTestFinished(() => server.stop());
    await server.start();
    const gone = connectSocket(Number(server.state.port), '127.0.0.1');
    gone.write(UPGRADE, () => gone.destroy());
    await once(gone, 'close');
    await connect(server); // which the server serves behind that one
    const persistence = new YjsPersistence(database, { Y, leaseMs: 2000, busyTimeoutMs: 7000 });
    onTestFinished(() => persistence.destroy().catch(() => undefined));
    await persistence.bindState('left', new Y.Doc());
  });
});
