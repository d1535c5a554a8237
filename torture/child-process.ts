/** A program of `children/` in a process of its own, line by line. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { endsWithUs } from '../tests/support/ends-with-us.ts';

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export class Program {
  readonly process: ChildProcess;
  readonly lines: string[] = [];
  /** All that it wrote to stderr. */
  errors = '';
  readonly ended: Promise<Ended>;
  readonly #listeners = new Set<(line: string | undefined) => void>();

  constructor(name: string, args: readonly string[], flags: readonly string[] = [], env: Record<string, string> = {}) {
    const path = join(import.meta.dirname, 'children', `${name}.ts`);
    this.process = spawn(process.execPath, ['--disable-warning=SDS_CLOCK_COLLISION', ...flags, path, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    const release = endsWithUs(this.process.pid, 'KILL');
    this.process.once('exit', release);
    const { stdout, stderr } = this.process;
    if (stdout === null || stderr === null) throw new Error('its output is piped');
    createInterface({ input: stdout }).on('line', (line) => {
      this.lines.push(line);
      for (const listener of this.#listeners) listener(line);
    });
    stderr.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text;
    });
    this.process.stdin?.on('error', () => undefined); // it may have ended
    this.ended = new Promise((resolve) => {
      this.process.once('close', (code, signal) => {
        resolve({ code, signal });
        for (const listener of this.#listeners) listener(undefined);
      });
    });
  }

  /** The first line that matches, said already or later; rejects if the program ends before. */
  async line(matches: (line: string) => boolean): Promise<string> {
    const said = this.lines.find(matches);
    if (said !== undefined) return said;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const listener = (line: string | undefined) => {
      if (line === undefined)
        reject(new Error(`it ended, having said ${this.lines.slice(-5).join(' | ')}; ${this.errors}`));
      else if (matches(line)) resolve(line);
    };
    this.#listeners.add(listener);
    return promise.finally(() => this.#listeners.delete(listener));
  }

  /** The next line that matches, counted from now. */
  nextLine(matches: (line: string) => boolean): Promise<string> {
    const from = this.lines.length;
    return this.line((line) => this.lines.length > from && matches(line));
  }

  tell(line: string): void {
    this.process.stdin?.write(`${line}\n`);
  }

  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /** Ends it by SIGKILL, whatever its state. */
  async end(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended;
  }
}
