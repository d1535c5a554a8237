/** One y-websocket server, as people set it up: its documents are kept by this package, or by y-leveldb. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getYDoc, setPersistence, setupWSConnection } from '@y/websocket-server/utils';
import { YjsPersistence } from 'sds-persistence-worker/yjs';
import { WebSocketServer } from 'ws';
import * as Y from 'yjs';
import { WORKER } from '../killed-server/protocol.ts';
import { readOrder, reportListening } from '../killed-server/report.ts';
import { YLeveldb } from './y-leveldb.ts';

const { side, database, port } = readOrder();

const persistence =
  side === WORKER ? new YjsPersistence(database, { Y, leaseMs: 2000, busyTimeoutMs: 7000 }) : new YLeveldb(database);
await persistence.ready(); // else it would serve what it can't store
setPersistence(persistence);

const http = createServer();
const sockets = new WebSocketServer({ server: http });
sockets.on('connection', async (connection, request) => {
  const name = (request.url ?? '').slice(1).split('?')[0] ?? '';
  connection.pause();
  try {
    // the server itself does not wait for that: its clients would see the document empty before
    await persistence.bindState(name, getYDoc(name));
  } catch (error) {
    console.error(`${name}: ${(error as Error).message}`);
    connection.terminate();
  }
  setupWSConnection(connection, request); // one that is gone as well: with the last one the document leaves
  if (connection.readyState === connection.CLOSED) connection.emit('close'); // which it has missed
  connection.resume();
});
http.listen(port, '127.0.0.1');
await once(http, 'listening');
reportListening((http.address() as AddressInfo).port);

process.once('SIGTERM', () => persistence.destroy().then(() => process.exit()));
