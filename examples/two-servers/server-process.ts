/** A server's process: started, listened to, and ended in one way or another. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { Report } from './server/main.ts';

const program = join(import.meta.dirname, 'server/main.ts');

/** A document at a server, from its opening there until it is given back or lost. */
export interface Stay {
  document: string;
  /** Number of the last patch that was there already. */
  found: number;
  /** Number of the last patch at the end. */
  left: number | undefined;
  ended: Promise<void>;
}

export class ServerProcess {
  readonly name: string;
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | NodeJS.Signals>;
  /** Edits that it was refused, by the error's code. */
  readonly refused = new Map<string, number>();
  readonly stays: Stay[] = [];
  readonly #ends = new Map<Stay, () => void>();

  private constructor(name: string, url: string, child: ChildProcess, ended: Promise<number | NodeJS.Signals>) {
    this.name = name;
    this.url = url;
    this.#child = child;
    this.#ended = ended;
    child.on('message', (report: Report) => this.#hear(report));
  }

  /** @param onKill called with what ends it at once, as soon as it is there */
  static async start(name: string, databaseUrl: string, leaseMs: number, onKill: (kill: () => Promise<void>) => void) {
    const child = fork(program, ['--lease-ms', String(leaseMs)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, DATABASE_URL: databaseUrl },
    });
    const ended = new Promise<number | NodeJS.Signals>((resolve) =>
      // after the last of its reports, which `exit` need not be; one of the two is there
      child.once('close', (code, signal) => resolve(code ?? signal ?? 1)),
    );
    onKill(async () => {
      child.kill('SIGKILL'); // also ends one that is stopped
      await ended;
    });
    const port = await new Promise<number>((resolve, reject) => {
      child.once('message', (report: Report) => {
        if (report.kind === 'listening') resolve(report.port);
      });
      void ended.then((how) => reject(new Error(`Server '${name}' ended with ${how} before it listened.`)));
    });
    return new ServerProcess(name, `ws://127.0.0.1:${port}`, child, ended);
  }

  #hear(report: Report): void {
    if (report.kind === 'opened') {
      const { promise: ended, resolve } = Promise.withResolvers<void>();
      const stay: Stay = { document: report.document, found: report.clock, left: undefined, ended };
      this.stays.push(stay);
      this.#ends.set(stay, resolve);
    } else if (report.kind === 'ended') {
      for (const [code, edits] of Object.entries(report.refused)) {
        this.refused.set(code, (this.refused.get(code) ?? 0) + edits);
      }
      const stay = this.present.find(({ document }) => document === report.document);
      if (stay === undefined) return;
      stay.left = report.clock;
      this.#ends.get(stay)?.();
    }
  }

  /** The documents that it has. */
  get present(): Stay[] {
    return this.stays.filter(({ left }) => left === undefined);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** As an operator does: it gives back its documents first. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    const how = await this.#ended;
    if (how !== 0) throw new Error(`Server '${this.name}' ended with ${how}.`);
  }
}
