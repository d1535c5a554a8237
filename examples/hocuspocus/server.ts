/** One Hocuspocus server, as people set it up: with this package's extension, or with its own one for SQLite. */
import { SQLite } from '@hocuspocus/extension-sqlite';
import { Server } from '@hocuspocus/server';
import { HocuspocusPersistence } from 'sds-persistence-worker/hocuspocus';
import { WORKER } from '../killed-server/protocol.ts';
import { readOrder, reportListening } from '../killed-server/report.ts';

const { side, database, port } = readOrder();

const server = new Server({
  address: '127.0.0.1',
  port,
  quiet: true,
  extensions: [side === WORKER ? new HocuspocusPersistence({ database, leaseMs: 2000 }) : new SQLite({ database })],
});
await server.listen();
reportListening(server.address.port);
