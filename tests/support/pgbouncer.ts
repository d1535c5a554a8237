/** PgBouncer before a server, mostly in transaction mode: each transaction may get another connection. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endsWithUs } from './ends-with-us.ts';
import { freePort, PASSWORD, type PostgresqlAddress, SUPERUSER, USER } from './postgresql-address.ts';
import { identity } from './postgresql-binaries.ts';

export const howToHavePgBouncer = 'PgBouncer is not installed: apt-get install pgbouncer';
/** Debian has it where an ordinary user's PATH does not lead. */
const places = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer', 'pgbouncer'];

export function findPgBouncer(): string | undefined {
  return places.find((path) => {
    try {
      execFileSync(path, ['--version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false; // not there
    }
  });
}

export class PgBouncer {
  readonly port: number;
  readonly #process: ChildProcess;
  readonly #folder: string;

  private constructor(port: number, child: ChildProcess, folder: string) {
    this.port = port;
    this.#process = child;
    this.#folder = folder;
  }

  /** @param poolSize - connections to the server, which all clients share */
  static async start(
    program: string,
    server: PostgresqlAddress,
    poolSize = 2,
    mode: 'transaction' | 'statement' = 'transaction',
  ): Promise<PgBouncer> {
    const folder = mkdtempSync(join(tmpdir(), 'sds-bouncer-'));
    chmodSync(folder, 0o755);
    const who = identity();
    if (who !== undefined) chownSync(folder, who.uid, who.gid);
    const port = await freePort();
    const users = [USER, SUPERUSER].map((user) => `"${user}" "${PASSWORD}"`);
    writeFileSync(join(folder, 'users.txt'), users.join('\n'), { mode: 0o644 });
    const settings = {
      listen_addr: '127.0.0.1',
      listen_port: port,
      unix_socket_dir: '',
      auth_type: 'scram-sha-256',
      auth_file: join(folder, 'users.txt'),
      pool_mode: mode,
      default_pool_size: poolSize,
      max_client_conn: 200,
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
    const text = ['[databases]', `* = host=127.0.0.1 port=${server.port}`, '[pgbouncer]', ...lines, ''].join('\n');
    writeFileSync(join(folder, 'pgbouncer.ini'), text, { mode: 0o644 });
    const child = spawn(program, [join(folder, 'pgbouncer.ini')], { ...who, stdio: ['ignore', 'ignore', 'pipe'] });
    const bouncer = new PgBouncer(port, child, folder);
    const release = endsWithUs(child.pid, 'KILL', folder);
    child.once('exit', release);
    let said = '';
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`PgBouncer ended: ${said}`)));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-20_000);
      if (said.includes('process up')) resolve();
    });
    await promise;
    return bouncer;
  }

  async remove(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exited = once(this.#process, 'exit');
      this.#process.kill('SIGKILL');
      await exited;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
