/** A PostgreSQL server of one's own, in a fresh folder, that can be stopped, killed and started again. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { endsWithUs } from './ends-with-us.ts';
import { freePort, PASSWORD, PostgresqlAddress, SUPERUSER } from './postgresql-address.ts';
import { type Binaries, findBinaries, howToHaveIt, identity } from './postgresql-binaries.ts';

/** As the server's own words name the ways to end it; `kill` is SIGKILL for all of its processes, as if its machine were gone. */
export type Ending = 'smart' | 'fast' | 'immediate' | 'kill';
const signals = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT', kill: 'SIGKILL' } as const;

export interface ServerOptions {
  binaries?: Binaries | undefined;
  /** Settings of postgresql.conf. */
  settings?: Record<string, string | number>;
  /** Where its folder is made, if not where that takes the least. */
  parent?: string;
  /** Waits for the disk, as a server does that is not a test's. */
  durable?: boolean;
  /** A copy of this folder, made while its server is stopped, instead of a new cluster (or of `pristine`). */
  copyOf?: string;
}

export class PostgresqlServer extends PostgresqlAddress {
  /** The folder of a server with the ordinary user, that was stopped: to make a cluster takes six times as long as to copy one. */
  static pristine: string | undefined;

  readonly folder: string;
  readonly binaries: Binaries;
  settings: Record<string, string | number>;
  #process: ChildProcess | undefined;
  /** What it has said, for a message if it does not start. */
  log = '';

  private constructor(folder: string, port: number, binaries: Binaries, settings: Record<string, string | number>) {
    super(port);
    this.folder = folder;
    this.binaries = binaries;
    this.settings = settings;
  }

  static async start(options: ServerOptions = {}): Promise<PostgresqlServer> {
    const copyOf = options.copyOf ?? (options.binaries === undefined ? PostgresqlServer.pristine : undefined);
    const server = await PostgresqlServer.prepare(copyOf === undefined ? options : { ...options, copyOf });
    await server.start();
    if (copyOf === undefined) {
      await server.makeUser();
    }
    return server;
  }

  /** Makes the cluster and starts nothing. */
  static async prepare({ binaries, settings = {}, parent, durable = false, copyOf }: ServerOptions = {}) {
    const found = binaries ?? findBinaries();
    if (found === undefined) throw new Error(`there is no PostgreSQL here; ${howToHaveIt}`);
    const folder = mkdtempSync(join(parent ?? (durable ? tmpdir() : folderOfServers()), 'sds-pg-'));
    const who = identity();
    chmodSync(folder, 0o755);
    if (who !== undefined) chownSync(folder, who.uid, who.gid);
    const data = join(folder, 'data');
    if (copyOf === undefined) {
      const passwordFile = join(folder, 'password');
      writeFileSync(passwordFile, PASSWORD);
      const args = ['-D', data, '-U', SUPERUSER, '--auth=scram-sha-256', `--pwfile=${passwordFile}`];
      args.push('--locale=C', '--encoding=UTF8', '--no-sync');
      // thousands of connections are made to it, and nobody is to guess the password: a quarter of their processor time
      if (majorOf(found) >= 16) args.push('--set', 'scram_iterations=1');
      await promisify(execFile)(join(found.folder, 'initdb'), args, { ...who, cwd: folder, env: environment() });
    } else {
      await promisify(execFile)('cp', ['-a', join(copyOf, 'data'), data]);
    }
    return new PostgresqlServer(folder, await freePort(), found, {
      listen_addresses: '127.0.0.1',
      unix_socket_directories: folder,
      // what a power cut takes is not looked at, unless the whole machine is to be trusted with it
      fsync: durable ? 'on' : 'off',
      shared_buffers: '16MB',
      max_wal_size: '256MB',
      // by the system, which need not read what it copies
      ...(majorOf(found) >= 18 ? { file_copy_method: 'clone' } : {}),
      ...settings,
    });
  }

  get data(): string {
    return join(this.folder, 'data');
  }

  /** Resolves once it takes connections; after SIGKILL it tries again until the last of its processes is gone. */
  async start(): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      if (await this.#startOnce()) break;
      if (attempt === 100) throw new Error(`PostgreSQL does not start:\n${this.log}`);
      await pause(50);
    }
  }

  async #startOnce(): Promise<boolean> {
    const settings = Object.entries(this.settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const args = ['-D', this.data, '-p', String(this.port), ...settings];
    const child = spawn(join(this.binaries.folder, 'postgres'), args, {
      ...identity(),
      cwd: this.folder,
      env: environment(),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    const release = endsWithUs(child.pid, 'QUIT', this.folder);
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    child.once('error', reject);
    child.once('exit', () => {
      release();
      resolve(false);
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.log = (this.log + text).slice(-100_000);
      said += text;
      if (said.includes('ready to accept')) resolve(true);
    });
    return promise;
  }

  get isRunning(): boolean {
    return this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  async stop(ending: Ending = 'fast'): Promise<void> {
    await this.leave();
    const child = this.#process;
    if (child === undefined || !this.isRunning) return;
    const exited = once(child, 'exit');
    const children = ending === 'kill' ? childrenOf(child.pid ?? 0) : [];
    child.kill(signals[ending]);
    for (const pid of children) signalTo(pid, 'SIGKILL');
    await exited;
  }

  async restart(ending: Ending = 'fast'): Promise<void> {
    await this.stop(ending);
    await this.start();
  }

  /** Stops it and removes its folder. */
  async remove(): Promise<void> {
    await this.stop('immediate');
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }

  /** Halts the server's processes, or lets them go on: connections stay, and nothing is answered. */
  halt(signal: 'SIGSTOP' | 'SIGCONT'): void {
    for (const pid of [this.#process?.pid ?? 0, ...childrenOf(this.#process?.pid ?? 0)]) {
      if (pid > 0) signalTo(pid, signal);
    }
  }
}

/** Where Linux has files in memory. */
const IN_MEMORY = '/dev/shm';
/** What has to be free there: the servers of a run take some 0.6 GiB at a time. */
const ROOM = 4 * 2 ** 30;

/** Who waits for no disk needs none: to make a database, hundreds of files, takes half of the processor time in memory. */
function folderOfServers(): string {
  try {
    const { bavail, bsize } = statfsSync(IN_MEMORY);
    // it may be as large as is said and the memory not
    if (Math.min(bavail * bsize, process.availableMemory()) >= ROOM) return IN_MEMORY;
  } catch {
    // not on this system
  }
  return tmpdir();
}

const majorOf = ({ version }: Binaries): number => Number.parseInt(version, 10);

/** Without what would lead the programs, or `pg`, elsewhere. */
function environment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('PG') && !name.startsWith('LC_'));
  return { ...Object.fromEntries(kept), LC_ALL: 'C' };
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has ended by itself meanwhile
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  } catch {
    return []; // not on Linux, or it has ended
  }
}
