/**
 * The site of the documents: `npm run docs` makes it and shows it, `npm run docs -- --build` only makes it, into docs/site/out. A link that
 * leads nowhere is an error. What it is made with is installed here, once; after that it needs no network.
 */
import { spawnSync } from 'node:child_process';
import { isInstalled } from '../../tests/support/is-installed.ts';

const folder = import.meta.dirname;

if (!isInstalled(folder)) {
  console.error('Installing what the site is made with, this once (some 150 MB) ...');
  const args = ['ci', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = spawnSync('npm', args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  });
  if (status !== 0) throw new Error('npm ci --prefix docs/site failed');
}
const { gatherPages } = await import('./pages.ts');
const { build, serve } = await import('vitepress');
gatherPages();
await build(folder);
if (!process.argv.includes('--build')) await serve({ root: folder, port: 4173 });
