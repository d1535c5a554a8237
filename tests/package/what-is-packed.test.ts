/** What the package consists of: what a user needs, nothing else, and nothing of the machine it was built on. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { expect, inject, it } from 'vitest';
import { freshFolder } from '../support/files.ts';

const root = join(import.meta.dirname, '../..');
/**
 * Unpacked, and some room. 500 KB are: the library, 251 KB, in which three workers are packed (PostgreSQL, copying stores and
 * operations on files, some 60 KB together); what keeps documents, 47 KB, and those for Yjs, 20, Hocuspocus, 26, automerge-repo, 9, and
 * documents of other kinds, 3; the rest is README, types, command line, licences and the like. npm sends 190 KB.
 */
const MOST_BYTES = 510_000;

/** The files of the package, by name. */
function packed(): Map<string, string> {
  const folder = freshFolder();
  execFileSync('tar', ['-xzf', inject('tarball'), '-C', folder]);
  const files = new Map<string, string>();
  for (const entry of readdirSync(join(folder, 'package'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(path.slice(join(folder, 'package/').length), readFileSync(path, 'utf8'));
  }
  return files;
}

it('holds the code, its types and the papers, and nothing else', () => {
  const names = [...packed().keys()];
  const papers = ['LICENSE', 'README.md', 'THIRD-PARTY-NOTICES.md', 'package.json'];
  const parts = ['index', 'yjs', 'hocuspocus', 'automerge-repo', 'merged-documents'].flatMap((name) =>
    ['js', 'cjs', 'd.ts', 'd.cts'].map((ending) => `dist/${name}.${ending}`),
  );
  const code = [...parts, 'dist/documents.cjs', 'dist/bin.js', 'dist/cli.js'];
  const isDeclaration = (name: string) =>
    /^dist\/types\/(main|protocol|yjs|hocuspocus|automerge-repo|merged-documents)\/([a-z]+\/)?[a-z-]+\.d\.cts$/.test(
      name,
    );
  expect(names).toEqual(expect.arrayContaining([...papers, ...code]));
  expect(names.filter((name) => ![...papers, ...code].includes(name) && !isDeclaration(name))).toEqual([]);
});

/** With each packed code in the place of its base64. */
function unpacked(code: string): string {
  return code.replaceAll(/(["'])([A-Za-z0-9+/]{1000,}=*)\1/g, (_, __, base64) =>
    brotliDecompressSync(Buffer.from(base64, 'base64')).toString(),
  );
}

it('the code of operations is in there, packed', () => {
  const code = packed().get('dist/index.cjs') ?? '';
  expect(code.includes('integrity_check')).toBe(false);
  expect(unpacked(code).includes('integrity_check')).toBe(true);
});

it('takes no more room than is known: growth is a decision', () => {
  const bytes = [...packed().values()].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  expect(bytes).toBeLessThan(MOST_BYTES);
});

it('needs no other package at run time, but for pg where a database is on a server', () => {
  const { dependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(packed().get('package.json') ?? '');
  expect(dependencies).toBeUndefined();
  expect(Object.keys(peerDependencies)).toEqual(['@rozek/sds-core', 'pg']);
  expect(peerDependenciesMeta).toEqual({ '@rozek/sds-core': { optional: true }, pg: { optional: true } });
});

/** What each file loads that is no part of Node: the library is there once, whatever lies beside it. */
const loaded = {
  'dist/index.js': ['./index.cjs'],
  'dist/index.cjs': [],
  'dist/cli.js': ['./index.js'],
  'dist/documents.cjs': ['./index.cjs'],
  'dist/hocuspocus.js': ['./hocuspocus.cjs'],
  'dist/hocuspocus.cjs': ['./documents.cjs', './index.cjs'],
  'dist/yjs.js': ['./yjs.cjs'],
  'dist/yjs.cjs': ['./documents.cjs', './index.cjs'],
  'dist/automerge-repo.js': ['./automerge-repo.cjs'],
  'dist/automerge-repo.cjs': ['./documents.cjs', './index.cjs'],
  'dist/merged-documents.js': ['./merged-documents.cjs'],
  'dist/merged-documents.cjs': ['./documents.cjs'],
};

it('its code loads only what is part of Node', () => {
  const files = packed();
  for (const [name, besides] of Object.entries(loaded)) {
    // the workers' code is text in there, packed or not, so that its own imports are found as well
    const code = unpacked(files.get(name) ?? '');
    const found = [
      ...code.matchAll(
        /(?:\bfrom\s*|\bimport\s*\(?\s*|\b(?:require|getBuiltinModule)\s*\(\s*)\\?["']([^"'\\]+)\\?["']/g,
      ),
    ];
    expect(found.length).toBeGreaterThan(0);
    // the command line is no part of the library
    if (name !== 'dist/cli.js') expect(code).not.toMatch(/cli\.js|parseArgs/);
    const others = new Set(found.map(([, module = '']) => module).filter((module) => !module.startsWith('node:')));
    expect([...others].sort(), name).toEqual(besides);
  }
});

it('names no folder and no host of the machine it was built on', () => {
  for (const [name, code] of packed()) {
    // a machine may be called like a module of Node
    const text = unpacked(code).replaceAll(/\bnode:\w+/g, '');
    for (const trace of [root, homedir(), hostname(), 'node_modules/.bin', 'sourceMappingURL']) {
      expect(text.includes(trace), `${name} contains ${trace}`).toBe(false);
    }
  }
});

it('carries the license of what it contains', () => {
  const files = packed();
  const { version } = JSON.parse(readFileSync(join(root, 'node_modules/comlink/package.json'), 'utf8'));
  const notices = files.get('THIRD-PARTY-NOTICES.md');
  expect(notices).toContain(`Comlink ${version}`);
  expect(notices).toContain(readFileSync(join(root, 'node_modules/comlink/LICENSE'), 'utf8').trim());
  expect(files.get('dist/index.cjs')).toContain('THIRD-PARTY-NOTICES.md');
});
