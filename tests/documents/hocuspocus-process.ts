/** A Hocuspocus server in a process of its own, which may end in any way. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import { freshFolder } from '../support/files.ts';

const root = join(import.meta.dirname, '../..');
const urlOf = (...path: string[]) => JSON.stringify(pathToFileURL(join(root, ...path)).href);

export class ServerProcess {
  readonly child: ChildProcess;
  url = '';
  stdout = '';
  stderr = '';
  readonly ended: Promise<[number | null, NodeJS.Signals | null]>;

  private constructor(program: string) {
    this.child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ended = once(this.child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
    onTestFinished(() => void this.child.kill('SIGKILL'));
  }

  /**
   * @param text - of a program that has `Server`, `HocuspocusPersistence`, `database` and `say(text)` in scope, and makes a `server`
   * @param database - a path or a URL
   */
  static async start(text: string, database: string): Promise<ServerProcess> {
    const program = join(freshFolder(), 'server.mjs');
    writeFileSync(
      program,
      `import { writeSync } from 'node:fs';
const { Server } = await import(${urlOf('node_modules/@hocuspocus/server/dist/hocuspocus-server.esm.js')});
const { HocuspocusPersistence } = await import(${urlOf('dist/hocuspocus.js')});
const database = ${JSON.stringify(database)};
const say = (text) => writeSync(1, text + '\\n');
const common = { port: 0, address: '127.0.0.1', quiet: true, debounce: 20, maxDebounce: 50 };
${text}
await server.listen();
say('listening ' + server.webSocketURL);`,
    );
    const started = new ServerProcess(program);
    started.url = await started.said(/^listening (.*)$/m);
    return started;
  }

  /** Waits for a line; returns what its group has. */
  async said(line: RegExp): Promise<string> {
    const said = () => ({ stdout: this.stdout, stderr: this.stderr });
    await expect.poll(said, { interval: 5 }).toMatchObject({ stdout: expect.stringMatching(line) });
    const [, found = ''] = line.exec(this.stdout) ?? [];
    return found;
  }
}
