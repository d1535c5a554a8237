/** Installs the runtimes, frameworks, bundlers and package managers that the package is tested with, once. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { isInstalled } from '../support/is-installed.ts';

// `--force`: that of Windows is for another system than this one
for (const [name, flags] of Object.entries({ tools: [], next: [], windows: ['--force'] })) {
  const folder = join(import.meta.dirname, name);
  if (isInstalled(folder)) continue;
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error', ...flags], {
    cwd: folder,
    stdio: 'inherit',
  });
}
