/** Installs the example's packages, once, and says how far that is. Run alone, it only installs. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const folder = import.meta.dirname;
const lockFile = join(folder, 'package-lock.json');

/** npm writes this file last; one that is older than the lock file belongs to another installation. */
export function isInstalled(): boolean {
  const mark = join(folder, 'node_modules/.package-lock.json');
  return existsSync(mark) && statSync(mark).mtimeMs >= statSync(lockFile).mtimeMs;
}

/** @returns whether the packages are there */
export async function install(): Promise<boolean> {
  if (isInstalled()) return true;
  const places = placesInLock();
  console.error(`Installing the ${places.length} packages of examples/live, this once (some 60 MB) ...`);
  const terminal = process.stderr.isTTY;
  const showing = setInterval(() => {
    const there = places.filter((place) => existsSync(join(folder, place, 'package.json'))).length;
    if (terminal) process.stderr.write(`\r  ${there} of ${places.length} unpacked`);
  }, 200);
  const npm = spawn('npm', ['ci', '--prefix', folder, '--no-audit', '--no-fund', '--no-progress', '--loglevel=error'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  });
  const code = await new Promise<number | null>((resolve) => {
    npm.once('error', () => resolve(null));
    npm.once('exit', resolve);
  });
  clearInterval(showing);
  if (terminal) process.stderr.write('\r\x1b[K');
  if (code === 0) console.error('  done');
  return code === 0;
}

function placesInLock(): string[] {
  const { packages } = JSON.parse(readFileSync(lockFile, 'utf8')) as {
    packages: Record<string, { optional?: boolean; link?: boolean }>;
  };
  return Object.entries(packages)
    .filter(([place, { optional, link }]) => place.startsWith('node_modules/') && !optional && !link)
    .map(([place]) => place);
}

if (process.argv[1] === import.meta.filename && !(await install())) {
  console.error('npm ci --prefix examples/live failed: what belongs to that example is left out');
}
