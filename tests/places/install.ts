/** Installs the runtimes, frameworks, bundlers and package managers that the package is tested with, once. */
import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';

// `--force`: that of Windows is for another system than this one
for (const [name, flags] of Object.entries({ tools: [], next: [], windows: ['--force'] })) {
  const folder = join(import.meta.dirname, name);
  // what npm writes when all is in its place
  const installed = join(folder, 'node_modules/.package-lock.json');
  const { mtimeMs } = statSync(join(folder, 'package-lock.json'));
  if (existsSync(installed) && statSync(installed).mtimeMs >= mtimeMs) continue;
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error', ...flags], {
    cwd: folder,
    stdio: 'inherit',
  });
}
