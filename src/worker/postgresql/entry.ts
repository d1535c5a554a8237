/** Where a worker thread for PostgreSQL databases begins: started when the first such database is opened. */
import { start } from '../start.ts';
import { PostgresqlEngine } from './engine.ts';

/** Shorter than for files: leases are renewed, and the server is heard, in the event loop alone. */
const LINGER_MS = 200;

start(({ path, server }) => {
  if (server === undefined) throw new Error(`'${path}' is no database on a server`); // a fault of this program
  return new PostgresqlEngine(server);
}, LINGER_MS);
