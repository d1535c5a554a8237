/** One server's process: started, listened to, and started again whenever it ends unasked. */
import { type ChildProcess, fork } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Memory, Sample, ServerOrder, ServerReport, Side } from '../protocol/control.ts';
import { databaseIn } from '../server/rooms.ts';

const program = join(import.meta.dirname, '../server/main.ts');
/** A server that ends so often before it listens won't do better the next time. */
const MOST_FAILED_STARTS = 5;
const STOP_PATIENCE_MS = 30_000;

interface Events {
  up: [afterMs: number | undefined];
  down: [how: string];
  sample: [sample: Sample, commits: number];
  happened: [text: string];
  memory: [memory: Memory];
  /** It can't be started. */
  failed: [text: string];
}

export interface ServerPlace {
  side: Side;
  folder: string;
  host: string;
  port: number;
  pagePort: number;
  /** Options of Node's. */
  execArgv?: string[];
}

export class SupervisedServer extends EventEmitter<Events> {
  readonly #place: ServerPlace;
  #child: ChildProcess | undefined;
  #port: number | undefined;
  /** Where it listens after a restart as well. */
  #lastPort: number;
  #stopping = false;
  #failedStarts = 0;
  #downSince: number | undefined;
  #commits: number | undefined;
  #megabytes = 0;

  constructor(place: ServerPlace) {
    super();
    this.#place = place;
    this.#lastPort = place.port;
    this.#start();
  }

  get port(): number | undefined {
    return this.#port;
  }

  get pid(): number | undefined {
    return this.#port === undefined ? undefined : this.#child?.pid;
  }

  #start(): void {
    const { side, folder, host, pagePort, execArgv = [] } = this.#place;
    const args = ['--provider', side, '--db', folder, '--host', host];
    args.push('--port', String(this.#lastPort), '--page-port', String(pagePort));
    const child = fork(program, args, { stdio: ['ignore', 'inherit', 'pipe', 'ipc'], execArgv });
    this.#child = child;
    let complaint = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-4000);
      // before it listens, whoever started it says what is wrong
      if (this.#port !== undefined) process.stderr.write(text);
    });
    child.on('message', (report: ServerReport) => this.#hear(report));
    // `exit` can come before the last of its words
    child.once('close', (code, signal) => this.#ended(code, signal, complaint.trim()));
  }

  #hear(report: ServerReport): void {
    if (report.kind === 'happened') {
      this.emit('happened', report.text);
    } else if (report.kind === 'memory') {
      this.emit('memory', report.memory);
    } else if (report.kind === 'sample') {
      this.emit('sample', report.sample, this.#newCommits());
    } else {
      this.#port = report.port;
      this.#lastPort = report.port;
      this.#failedStarts = 0;
      this.order({ kind: 'megabytes', megabytes: this.#megabytes });
      const afterMs = this.#downSince === undefined ? undefined : performance.now() - this.#downSince;
      this.#downSince = undefined;
      this.emit('up', afterMs);
    }
  }

  #ended(code: number | null, signal: NodeJS.Signals | null, complaint: string): void {
    const wasUp = this.#port !== undefined;
    this.#port = undefined;
    this.#child = undefined;
    this.#commits = undefined;
    if (this.#stopping) return;
    if (!wasUp) this.#failedStarts++;
    if (this.#failedStarts >= (this.#downSince === undefined && !wasUp ? 1 : MOST_FAILED_STARTS)) {
      const how = complaint || `it ended with ${signal ?? `code ${code}`} before it listened`;
      this.emit('failed', how);
      return;
    }
    this.#downSince ??= performance.now();
    if (wasUp) this.emit('down', signal ?? `exit code ${code}`);
    this.#start();
  }

  order(order: ServerOrder): void {
    if (order.kind === 'megabytes') this.#megabytes = order.megabytes;
    // it may be ending, which is told by 'close': without a callback, a message that can't be sent would end this process
    if (this.#port !== undefined && this.#child?.connected) this.#child.send(order, () => undefined);
  }

  /** As the operating system would, if it ran out of memory. */
  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  /**
   * SQLite counts the transactions of a database in the index of its log, for every connection that
   * looks (https://sqlite.org/walformat.html, `iChange`). Read from outside, it is the same count
   * for either provider, and costs neither anything.
   */
  #newCommits(): number {
    const before = this.#commits;
    try {
      const file = openSync(`${databaseIn(this.#place.folder)}-shm`, 'r');
      try {
        const header = new Uint32Array(3);
        readSync(file, header, 0, 12, 0);
        this.#commits = header[2];
      } finally {
        closeSync(file);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      this.#commits = undefined; // nobody has opened a document yet
    }
    const grown = (this.#commits ?? 0) - (before ?? this.#commits ?? 0);
    return Math.max(0, grown);
  }

  /**
   * Saves every document; a server that does not end in time is killed, and that is said.
   *
   * @returns whether it ended by itself
   */
  async stop(): Promise<boolean> {
    this.#stopping = true;
    const child = this.#child;
    if (child === undefined) return true;
    let byItself = true;
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    child.kill('SIGTERM');
    const patience = setTimeout(() => {
      byItself = false;
      console.error(`The server with the ${this.#place.side} provider did not end within 30 s and is killed.`);
      child.kill('SIGKILL');
    }, STOP_PATIENCE_MS);
    await ended;
    clearTimeout(patience);
    return byItself;
  }
}
