/**
 * A server of documents that may be one of many on the same database:
 *
 *     DATABASE_URL=postgres://user@host/db node server/main.ts --port 4200 --lease-ms 10000
 *
 * Editors connect to ws://HOST:PORT/DOCUMENT.
 */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { WebSocketServer } from 'ws';
import { closeCodes } from '../protocol.ts';
import { Connection } from './connection.ts';
import type { Ended } from './document.ts';
import { Documents } from './documents.ts';

/** What a server tells whoever started it. */
export type Report =
  | { kind: 'listening'; port: number }
  | { kind: 'opened'; document: string; clock: number }
  | ({ kind: 'ended'; document: string } & Ended);

const { values } = parseArgs({
  options: { port: { type: 'string', default: '0' }, 'lease-ms': { type: 'string', default: '10000' } },
});
// in the environment, since everybody on the machine can read the arguments
const url = process.env.DATABASE_URL;
if (url === undefined) throw new Error('DATABASE_URL is not set.');

const documents = new Documents(
  { url, leaseMs: Number(values['lease-ms']) },
  {
    opened: (document, clock) => tell({ kind: 'opened', document, clock }),
    ended: (document, ended) => tell({ kind: 'ended', document, ...ended }),
  },
);
const server = createServer((_request, response) => response.writeHead(426).end('This is a WebSocket server.\n'));
const sockets = new WebSocketServer({ server, maxPayload: 8 * 1024 * 1024, perMessageDeflate: false });
sockets.on('connection', (socket, request: IncomingMessage) => {
  const name = /^\/([\w-]{1,64})$/.exec(request.url ?? '')?.[1];
  if (name === undefined) socket.close(closeCodes.notUnderstood, 'a document is named by up to 64 letters and digits');
  else new Connection(socket, name, documents);
});
server.listen(Number(values.port), '127.0.0.1', () => {
  // a server on a host and port always has an address of this form
  const { port } = server.address() as AddressInfo;
  if (process.send === undefined) console.log(`Documents: ws://127.0.0.1:${port}/NAME`);
  tell({ kind: 'listening', port });
});

let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  server.close();
  await documents.stop();
  for (const socket of sockets.clients) socket.terminate();
  if (process.connected) process.disconnect();
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop);
// whoever started it is gone
process.on('disconnect', stop);

function tell(report: Report): void {
  if (process.connected) process.send?.(report);
}
