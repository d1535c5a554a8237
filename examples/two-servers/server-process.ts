/** A server's process: started, listened to, and ended in one way or another. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { Report } from './server/main.ts';

const program = join(import.meta.dirname, 'server/main.ts');

export class ServerProcess {
  readonly name: string;
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | NodeJS.Signals>;
  /** Edits that it was refused, by the error's code. */
  readonly refused = new Map<string, number>();
  /** Documents that it has given back or lost. */
  readonly #gone = new Set<string>();
  #waiting: (() => void)[] = [];

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
      // one of the two is there
      child.once('exit', (code, signal) => resolve(code ?? signal ?? 1)),
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
    if (report.kind !== 'ended') return;
    this.#gone.add(report.document);
    if (report.code !== undefined) {
      this.refused.set(report.code, (this.refused.get(report.code) ?? 0) + report.refused);
    }
    for (const tell of this.#waiting.splice(0)) tell();
  }

  /** Once it has none of these documents any more. */
  async withoutAll(documents: readonly string[]): Promise<void> {
    while (!documents.every((document) => this.#gone.has(document))) {
      await new Promise<void>((tell) => this.#waiting.push(tell));
    }
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
