/** No link of the documents is dead: files, headings, and the addresses of this repository; what the package contains leads nowhere else; files that pages name exist. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { anchorsOf } from './anchors.ts';

const root = join(import.meta.dirname, '../..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  files: string[];
  repository: { url: string };
};
const repository = manifest.repository.url.replace(/^git\+|\.git$/g, '');
const raw = repository.replace('github.com', 'raw.githubusercontent.com');
const pages = globSync('{*,.github/*,docs/*,bench/*,bench/results/*,examples/*,examples/*/*}.md', { cwd: root }).filter(
  (page) => !page.includes('node_modules'),
);

interface Link {
  /** Of the checkout, '' for the page itself. */
  path: string;
  heading: string | undefined;
  text: string;
}

/** Links to files of this project, however they are written. */
function linksOf(page: string): Link[] {
  const text = readFileSync(join(root, page), 'utf8').replaceAll(/^```[\s\S]*?^```/gm, '');
  const inline = [...text.matchAll(/\]\(([^)\s]+)\)/g)];
  const defined = [...text.matchAll(/^\[[^\]]+\]: (\S+)$/gm)];
  return [...inline, ...defined].flatMap(([, target = '']) => {
    const [address = '', heading] = target.split('#');
    const own = [`${repository}/blob/main/`, `${raw}/main/`].find((start) => address.startsWith(start));
    if (own !== undefined) return [{ path: address.slice(own.length), heading, text: target }];
    if (/^[a-z]+:/.test(address)) return [];
    const path = address === '' ? page : relative(root, join(root, dirname(page), address));
    return [{ path, heading, text: target }];
  });
}

describe.each(pages)('%s', (page) => {
  it('leads to files and headings that there are', () => {
    for (const { path, heading, text } of linksOf(page)) {
      expect(existsSync(join(root, path)), text).toBe(true);
      if (heading === undefined || !path.endsWith('.md')) continue;
      expect(anchorsOf(readFileSync(join(root, path), 'utf8')), text).toContain(heading);
    }
  });

  it('names nothing by reference that is not defined', () => {
    const text = readFileSync(join(root, page), 'utf8').replaceAll(/^```[\s\S]*?^```/gm, '');
    const defined = [...text.matchAll(/^\[([^\]]+)\]: /gm)].map(([, name]) => name);
    const used = [...text.matchAll(/\]\[([^\]]+)\]/g)].map(([, name]) => name);
    expect([...new Set(used)].sort()).toEqual([...defined].sort());
  });
});

it('README.md, which is in the package, leads to what is in there, or to the repository', () => {
  const text = readFileSync(join(root, 'README.md'), 'utf8');
  for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^(https:|#)/.test(target)) continue;
    const [path] = target.split('#');
    expect([...manifest.files, 'LICENSE'], target).toContain(path);
  }
});

it('each error code and each warning has a heading of its own', () => {
  const headings = anchorsOf(readFileSync(join(root, 'docs/guarantees.md'), 'utf8'));
  const source = readFileSync(join(root, 'src/protocol/errors.ts'), 'utf8');
  const [, list = ''] = /errorCodes = \[([^\]]*)\]/.exec(source) ?? [];
  const codes = [...list.matchAll(/'([a-z-]+)'/g)].map(([, code]) => code);
  expect(codes.length).toBeGreaterThan(10);
  expect(headings).toEqual(expect.arrayContaining(codes));
});

it.each(['docs/architecture.md', 'docs/architecture-postgresql.md', 'docs/engines.md'])(
  '%s names no file of the source that was moved or removed',
  (page) => {
    const text = readFileSync(join(root, page), 'utf8');
    const named = [...text.matchAll(/`([\w./-]+\.(?:ts|mjs))`/g)].map(([, path = '']) => path);
    expect(named.length).toBeGreaterThan(3);
    const sources = globSync('{*,src/**/*,torture/*,tests/engines/*}.{ts,mjs}', { cwd: root }).map(
      (path) => `/${path.replaceAll('\\', '/')}`,
    );
    expect(named.filter((path) => !sources.some((source) => source.endsWith(`/${path}`)))).toEqual([]);
  },
);
