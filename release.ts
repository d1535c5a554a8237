/**
 * Makes a release: `npm run release -- major|minor|patch|X.Y.Z` gives what is under "Unreleased" in the changelog a version and a date, and
 * commits and tags it. Pushing the tag has `.github/workflows/release.yml` test and publish it. With `--dry-run` all of it happens in a
 * clone that is thrown away, up to `npm publish --dry-run`.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const UNRELEASED = '## [Unreleased]';
const root = import.meta.dirname;

function run(folder: string, command: string, ...args: string[]): string {
  const shell = process.platform === 'win32';
  return execFileSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    shell,
  }).trim();
}

/** @returns the version */
function release(folder: string, asked: string): string {
  if (run(folder, 'git', 'status', '--porcelain') !== '') throw new Error('commit what you have changed first');
  const path = join(folder, 'CHANGELOG.md');
  const [before = '', after] = readFileSync(path, 'utf8').split(`${UNRELEASED}\n`);
  if (after === undefined) throw new Error(`CHANGELOG.md has no heading '${UNRELEASED}'`);
  const [changes = ''] = after.split(/^## /m);
  if (changes.trim() === '') throw new Error(`CHANGELOG.md has nothing under '${UNRELEASED}'`);
  const version = run(folder, 'npm', 'version', asked, '--no-git-tag-version').replace(/^v/, '');
  const today = new Date().toISOString().slice(0, 10);
  writeFileSync(path, `${before}${UNRELEASED}\n\n## [${version}] - ${today}\n${after}`);
  run(folder, 'git', 'commit', '--quiet', '--all', '--message', `Release ${version}`);
  run(folder, 'git', 'tag', '--annotate', '--cleanup=whitespace', `v${version}`, '--message', changes.trim());
  return version;
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { 'dry-run': { type: 'boolean' } } });
const [asked] = positionals;
if (asked === undefined || positionals.length > 1) {
  console.error('npm run release -- major|minor|patch|X.Y.Z [--dry-run]');
  process.exitCode = 1;
} else if (values['dry-run']) {
  const folder = mkdtempSync(join(tmpdir(), 'release-'));
  // of a commit that nobody will see
  for (const who of ['AUTHOR', 'COMMITTER']) {
    process.env[`GIT_${who}_NAME`] ??= 'nobody';
    process.env[`GIT_${who}_EMAIL`] ??= 'nobody@localhost';
  }
  try {
    run(root, 'git', 'clone', '--quiet', root, folder);
    const version = release(folder, asked);
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
    console.log(run(folder, 'git', 'show', '--stat', `v${version}`));
    console.log(run(folder, 'npm', 'publish', '--dry-run'));
    console.log(`${version} could be released; nothing was changed`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
} else {
  const version = release(root, asked);
  console.log(`v${version} is committed and tagged; publish it by: git push --follow-tags`);
}
