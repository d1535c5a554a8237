/**
 * A server of collaborative documents, started twice by `npm run live`: once on this package, once
 * with `--provider synchronous`. Alone it runs as well: `node server/main.ts --db FOLDER`.
 */
import { createServer, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Worker } from 'node:worker_threads';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Sample, ServerOrder, ServerReport } from '../protocol/control.ts';
import { limits } from './limits.ts';
import { inUrl, ListenError, listen } from './listening.ts';
import { Meter } from './meter.ts';
import { ArgumentError, help, readOptions, type ServerOptions } from './options.ts';
import { refusalOf } from './origin.ts';
import { Rooms } from './rooms.ts';

const SAMPLE_MS = 250;

/** The threads of this process, of which the page may end one. */
const workers = new Set<Worker>();
process.on('worker', (worker: Worker) => {
  workers.add(worker);
  worker.once('exit', () => workers.delete(worker));
});

async function serve({ side, port, host, folder, pagePort }: ServerOptions): Promise<void> {
  const meter = new Meter();
  const report = (text: string) => {
    if (process.send === undefined) console.error(text);
    else tell({ kind: 'happened', text });
  };
  const rooms = new Rooms(side, folder, meter, report);
  const alive = new Map<WebSocket, boolean>();
  let latest: Sample | undefined;
  let ownPort = 0;

  const server = createServer({ headersTimeout: 10_000, requestTimeout: 10_000 }, (request, response) => {
    const found = request.method === 'GET' && request.url === '/health';
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(found ? { side, ...latest } : { error: 'there is nothing but /health and rooms' }));
  });
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: limits.messageBytes,
    perMessageDeflate: false,
  });

  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    const refuse = (status: string, reason: string) => {
      stream.on('error', ignoreReset);
      stream.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n${reason}\n`);
    };
    const refusal = refusalOf(request, pagePort === undefined ? [ownPort] : [ownPort, pagePort], host);
    if (refusal !== undefined) return refuse('403 Forbidden', refusal);
    const name = (request.url ?? '').replace(/^\//, '').replace(/\?.*$/s, '');
    if (!limits.roomName.test(name)) {
      return refuse('400 Bad Request', 'a room is named by up to 64 letters, digits and hyphens');
    }
    // a connection that was there already may ask for a room only now
    if (rooms.stopping) return refuse('503 Service Unavailable', 'this server stops');
    if (alive.size >= limits.sockets || (rooms.full && !rooms.has(name))) {
      return refuse('503 Service Unavailable', 'this server has as many guests as it takes');
    }
    sockets.handleUpgrade(request, stream, head, (socket) => {
      alive.set(socket, true);
      socket.on('pong', () => alive.set(socket, true));
      socket.on('close', () => alive.delete(socket));
      // a message that is too large, a frame that is none: `ws` closes the connection with its code
      socket.on('error', (error) => report(`a client in room '${name}' was disconnected: ${error.message}`));
      void rooms.join(name, socket);
    });
  });

  const pinging = setInterval(() => {
    for (const [socket, answered] of alive) {
      if (!answered) socket.terminate();
      alive.set(socket, false);
      socket.ping();
    }
  }, limits.pingMs);
  const sampling = setInterval(() => {
    latest = { ...meter.take(), waiting: rooms.waiting, sockets: alive.size, rooms: rooms.count };
    tell({ kind: 'sample', sample: latest });
  }, SAMPLE_MS);

  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    clearInterval(pinging);
    clearInterval(sampling);
    meter.stop();
    server.close();
    await rooms.stop();
    for (const socket of alive.keys()) socket.terminate();
    server.closeAllConnections();
    if (process.connected) process.disconnect?.();
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop);
  // whoever started it is gone
  process.on('disconnect', stop);
  process.on('message', (order: ServerOrder) => {
    if (order.kind === 'megabytes') rooms.megabytes = order.megabytes;
    else if (order.kind === 'kill-worker') void killWorker(rooms);
    else if (order.kind === 'measure-memory') measureMemory();
    else void saveSnapshot(rooms, order.room, order.megabytes);
  });

  ownPort = await listen(server, port, host);
  if (process.send === undefined) console.log(`Rooms of the ${side} provider: ws://${inUrl(host)}:${ownPort}/NAME`);
  tell({ kind: 'listening', port: ownPort });
}

/** A client may be gone before it is told why it is refused. */
function ignoreReset(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') console.error(`A refused client: ${error.message}`);
}

async function saveSnapshot(rooms: Rooms, room: string, megabytes: number): Promise<void> {
  const start = performance.now();
  await rooms.saveSnapshot(room, megabytes);
  const ms = Math.round(performance.now() - start);
  tell({ kind: 'happened', text: `A snapshot of ${megabytes} MB is durable after ${ms} ms.` });
}

async function killWorker(rooms: Rooms): Promise<void> {
  const [worker] = workers;
  if (worker === undefined) return tell({ kind: 'happened', text: 'There is no worker yet: nobody has typed.' });
  const { waiting, rejected } = rooms;
  const start = performance.now();
  const since = () => `${Math.round(performance.now() - start)} ms`;
  let replaced = '';
  const onWorker = (next: Worker) =>
    next.once('online', () => {
      replaced = since();
    });
  process.once('worker', onWorker);
  await worker.terminate();
  await rooms.allDurable();
  process.off('worker', onWorker);
  const lost = rooms.rejected - rejected;
  const patches = waiting === 1 ? '1 patch' : `${waiting} patches`;
  // bytes that were handed over to it can't be written again by another
  const snapshots = lost === 0 ? '' : ` A snapshot that it was given went down with it and is saved anew.`;
  const end = `All of them are in the file after ${since()}.${snapshots}`;
  const another = replaced === '' ? 'The next call starts another.' : `Another took over after ${replaced}.`;
  tell({ kind: 'happened', text: `The worker was killed with ${patches} on their way. ${another} ${end}` });
}

function measureMemory(): void {
  globalThis.gc?.();
  tell({ kind: 'memory', memory: process.memoryUsage() });
}

function tell(report: ServerReport): void {
  // without a channel, or with one that has just been closed, there is nobody to tell
  if (process.connected) process.send?.(report);
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) console.log(help);
  else await serve(options);
} catch (error) {
  if (!(error instanceof ArgumentError || error instanceof ListenError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
  if (process.connected) process.disconnect?.();
}
