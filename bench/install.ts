/** Installs the peers that the provider is compared with, once; says which of them are there. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { isInstalled } from '../tests/support/is-installed.ts';

const folder = import.meta.dirname;
const { resolve } = createRequire(import.meta.url);

interface Manifest {
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
}

/** Returns why a peer can't be used, by its name; one that could not be built is left out. */
export function installPeers(): Record<string, string> {
  if (!isInstalled(folder)) {
    const args = ['ci', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error'];
    const { status } = spawnSync('npm', args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      shell: process.platform === 'win32',
    });
    if (status !== 0) console.error('npm ci --prefix bench failed: peers that are not there are left out');
  }
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
  const names = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });
  // mostly all are there: one process for each only if some is not
  if (names.every(isThere) && tryOut(names).status === 0) return {};
  const missing: Record<string, string> = {};
  for (const name of names) {
    if (!isThere(name)) {
      missing[name] = 'it is not installed';
      continue;
    }
    const { status, stderr } = tryOut([name]);
    if (status !== 0) missing[name] = stderr.split('\n').find((line) => /Error/.test(line)) ?? 'it does not load';
  }
  return missing;
}

function isThere(name: string): boolean {
  try {
    resolve(name);
    return true;
  } catch {
    return false;
  }
}

/** A native part that does not load is as good as none; tried elsewhere, so that it can't crash this process. */
function tryOut(names: readonly string[]) {
  const code = names.map(use).join(';');
  return spawnSync(process.execPath, ['-e', code], { cwd: folder, encoding: 'utf8' });
}

function use(name: string): string {
  const opens = name === 'libsql' || name === 'better-sqlite3';
  return opens ? `new (require('${name}'))(':memory:').close()` : `require('${name}')`;
}
