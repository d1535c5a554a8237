/** Runs small programs in processes of their own, with the package at hand. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { freshFolder } from './files.ts';

const packageUrl = pathToFileURL(join(import.meta.dirname, '../../dist/index.js')).href;

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/**
 * Runs the text of an ES module, with `SDS_DesktopPersistenceProvider`, `transfer`, `patchOf(n)` and
 * `file`, the path of a database, in scope, until it ends. A thread without work keeps no program waiting, nor does a
 * signal: `stayFor(promise)` does, and `endThread(worker)` resolves when that has ended. `lockFile(path)` holds a database's
 * write lock over the connection that it returns, to the end of the program if it is not closed.
 *
 * @param onOutput - told all output so far whenever there is more; may send signals
 */
export async function runProgram(
  text: string,
  file: string,
  {
    node = process.execPath,
    flags = [] as string[],
    env = {} as Record<string, string>,
    /** Where the program itself lies. */
    folder = freshFolder(),
    onOutput = (_: string, __: (signal: NodeJS.Signals) => void) => {},
  } = {},
): Promise<Ended> {
  const program = join(folder, 'program.mjs');
  writeFileSync(
    program,
    `import { SDS_DesktopPersistenceProvider, SDS_PersistenceError, transfer } from ${JSON.stringify(packageUrl)};
const file = ${JSON.stringify(file)};
const patchOf = (text) => new TextEncoder().encode('patch ' + text);
const stayFor = (promise) => {
  const timer = setInterval(() => {}, 60_000);
  return promise.finally(() => clearInterval(timer));
};
const endThread = (worker) => stayFor(worker.terminate());
const lockHolders = []; // else they are closed once nobody refers to them
const lockFile = (path) => {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  const holder = new DatabaseSync(path);
  holder.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
  lockHolders.push(holder);
  return holder;
};
${text}`,
  );
  const child = spawn(node, [...flags, program], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended: Ended = { code: null, signal: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    ended.stdout += chunk;
    onOutput(ended.stdout, (signal) => child.kill(signal));
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    ended.stderr += chunk;
  });
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      ended.code = code;
      ended.signal = signal;
      resolve();
    });
  });
  return ended;
}
