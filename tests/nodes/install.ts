/** Installs the other versions of Node, and of TypeScript, that tests run on, once. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const folder = import.meta.dirname;
const programs = [
  'node-20/bin/node',
  'node-22.5/bin/node',
  'node-22.12/bin/node',
  'node-26/bin/node',
  'typescript-5.4/bin/tsc',
];
if (!programs.every((program) => existsSync(join(folder, 'node_modules', program)))) {
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: folder, stdio: 'inherit' });
}
