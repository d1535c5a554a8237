/** Folders in which the packed package is installed, as on a machine that has nothing else, and programs run there. */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { inject } from 'vitest';
import { freshFolder } from '../support/files.ts';
import { npm } from '../support/npm.ts';

/** A folder with the package in its `node_modules`, under its own name or another. */
export async function installed(alias = 'sds-persistence-worker'): Promise<string> {
  let installation = installations.get(alias);
  if (installation === undefined) {
    installation = install(alias);
    installations.set(alias, installation);
  }
  const folder = freshFolder();
  cpSync(await installation, folder, { recursive: true });
  return folder;
}

/** What npm made of the tarball, by alias: every test of a file starts from a copy of it. */
const installations = new Map<string, Promise<string>>();

async function install(alias: string): Promise<string> {
  const tarball = inject('tarball');
  // beside the tarball, to be removed with it after the last test
  const folder = mkdtempSync(join(dirname(tarball), 'installed-'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'an-application', version: '1.0.0' }));
  // the package brings nothing along, so that nothing has to be fetched
  const [program, ...args] = npm;
  args.push('install', '--offline', '--no-audit', '--no-fund', `${alias}@file:${tarball}`);
  const { exitCode, stderr } = await run(program, args, { cwd: folder });
  if (exitCode !== 0) throw new Error(`npm install failed: ${stderr}`);
  return folder;
}

/** Writes a file into a folder and returns its path. */
export function place(folder: string, name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

export interface Ended {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end. Nothing of the test runner's own environment that concerns Node reaches it. */
export function run(
  program: string,
  args: readonly string[],
  { cwd, env = {} }: { cwd: string; env?: Record<string, string> },
): Promise<Ended> {
  const { NODE_OPTIONS: _, NODE_PATH: __, NODE_COMPILE_CACHE: ___, ...inherited } = process.env;
  const { promise, resolve, reject } = Promise.withResolvers<Ended>();
  const child = spawn(program, args, { cwd, env: { ...inherited, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  child.on('error', reject);
  child.on('close', (exitCode, signal) => resolve({ exitCode, signal, ...output }));
  return promise;
}

/** Runs a Node program, by default on the Node that runs the tests, in the folder it lies in. */
export function runNode(
  args: readonly string[],
  { cwd, node = process.execPath, env }: { cwd: string; node?: string; env?: Record<string, string> },
): Promise<Ended> {
  return run(node, args, env === undefined ? { cwd } : { cwd, env });
}

const other = (name: string) => join(import.meta.dirname, '../nodes/node_modules', name, 'bin/node');

/** Every Node that the package is tested on. */
export const nodes = {
  '22.5': other('node-22.5'),
  '22.12': other('node-22.12'),
  '24': process.execPath,
  '26': other('node-26'),
} as const;

/** One that has no SQLite. */
export const nodeWithoutSqlite = other('node-20');

/** Fails with all that a program said, if it did not end well and silently; else returns what it printed, parsed. */
export function resultOf(ended: Ended, program: string): unknown {
  const { exitCode, signal, stdout, stderr } = ended;
  if (exitCode !== 0 || stderr !== '') {
    throw new Error(`${basename(program)} ended with ${exitCode ?? signal}\n${stdout}\n${stderr}`);
  }
  return JSON.parse(stdout);
}
