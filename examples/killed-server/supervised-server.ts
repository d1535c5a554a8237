/** A server's process: started, killed, and started again. */
import { type ChildProcess, fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import type { ServerReport, Side, State } from './protocol.ts';

export class SupervisedServer extends EventEmitter<{ state: [State] }> {
  readonly side: Side;
  readonly #program: string;
  readonly #database: string;
  #child: ChildProcess | undefined;
  #port: number | undefined;
  /** Where it listens after a restart as well. */
  #lastPort = 0;

  constructor(program: string, side: Side, database: string) {
    super();
    this.#program = program;
    this.side = side;
    this.#database = database;
  }

  get state(): State {
    return { side: this.side, port: this.#port };
  }

  /**
   * Resolves once it listens; if it runs already, nothing is done.
   *
   * @throws Error if it ends before; it has said why on stderr
   */
  async start(): Promise<void> {
    if (this.#child !== undefined) return;
    const args = [this.side, this.#database, String(this.#lastPort)];
    const child = fork(this.#program, args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child = child;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    child.on('message', (report: ServerReport) => {
      if (report.kind === 'delay') {
        this.emit('state', { ...this.state, delayMs: report.ms });
        return;
      }
      this.#port = this.#lastPort = report.port;
      this.emit('state', this.state);
      resolve();
    });
    child.once('close', (code, signal) => {
      this.#child = undefined;
      this.#port = undefined;
      this.emit('state', this.state);
      reject(new Error(`The server with ${this.side} has ended before it listened (${signal ?? `code ${code}`}).`));
    });
    await promise;
  }

  /** As the operating system would, if it ran out of memory. Resolves once it has ended. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** Resolves once it has ended, its documents stored. */
  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const ended = once(child, 'close');
    child.kill(signal);
    await ended;
  }
}
