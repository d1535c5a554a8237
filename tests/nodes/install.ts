/** Installs the other versions of Node that tests run on, once. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const folder = import.meta.dirname;
const versions = ['node-20', 'node-22.5', 'node-22.12', 'node-26'];
if (!versions.every((name) => existsSync(join(folder, 'node_modules', name, 'bin', 'node')))) {
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: folder, stdio: 'inherit' });
}
