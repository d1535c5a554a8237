/** One Hocuspocus server, as people set it up: with this package's extension, or with its own one for SQLite. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { SQLite } from '@hocuspocus/extension-sqlite';
import { Server } from '@hocuspocus/server';
import { HocuspocusPersistence } from 'sds-persistence-worker/hocuspocus';
import type { ServerReport, Side } from './protocol.ts';

const REPORT_MS = 500;
const RESOLUTION_MS = 1;

const [side, database = '', port = '0'] = process.argv.slice(2) as [Side, string?, string?];
const report = (message: ServerReport) => process.send?.(message, () => undefined);

const server = new Server({
  address: '127.0.0.1',
  port: Number(port),
  quiet: true,
  extensions: [side === 'worker' ? new HocuspocusPersistence({ database, leaseMs: 2000 }) : new SQLite({ database })],
});
await server.listen();
report({ kind: 'listening', port: server.address.port });

const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delays.enable();
setInterval(() => {
  // what is recorded is the time between two rounds of the timer
  report({ kind: 'delay', ms: delays.count === 0 ? 0 : Math.max(0, delays.max / 1e6 - RESOLUTION_MS) });
  delays.reset();
}, REPORT_MS);

// whoever started this has ended
process.once('disconnect', () => process.exit());
