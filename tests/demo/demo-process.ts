/** Runs the demo, or its restore program, as a process, as a user does. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const demo = join(import.meta.dirname, '../../demo');

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

function run(program: string, args: string[], env: NodeJS.ProcessEnv): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(demo, program), ...args], { env: { ...process.env, ...env } }, (error, ...out) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout: out[0], stderr: out[1] });
    });
  });
}

export function runDemo(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return run('main.ts', args, env);
}

export function runRestore(side: 'worker' | 'reference', dbPath: string, ...expectedPaths: string[]): Promise<Ended> {
  return run('restore-process.ts', [side, dbPath, ...expectedPaths], {});
}

export function packed(value: unknown): Buffer {
  return gzipSync(JSON.stringify(value));
}
