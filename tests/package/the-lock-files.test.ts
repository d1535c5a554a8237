/** The lock files install on any machine: `npm ci` refuses one that leaves out a platform's optional packages. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');

interface Lock {
  packages: Record<
    string,
    {
      resolved?: string;
      link?: boolean;
      dependencies?: Record<string, string>;
      optionalDependencies?: Record<string, string>;
    }
  >;
}

/** Where Node would look for a package from another one, nearest first. */
function* placesOf(name: string, from: string): Generator<string> {
  for (let at = from; ; at = at.slice(0, Math.max(at.lastIndexOf('/node_modules/'), 0))) {
    yield at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    if (at === '') return;
  }
}

it.each([
  'package-lock.json',
  'tests/nodes/package-lock.json',
  'tests/places/tools/package-lock.json',
  'tests/places/next/package-lock.json',
  'tests/places/windows/package-lock.json',
  'bench/package-lock.json',
  'examples/live/package-lock.json',
  'docs/site/package-lock.json',
])('%s', (file) => {
  if (!existsSync(join(root, file))) return;
  const { packages } = JSON.parse(readFileSync(join(root, file), 'utf8')) as Lock;
  // an address would tie the clone to one registry; a link leads to a folder of the clone
  const resolved = Object.values(packages).filter(({ resolved, link }) => resolved !== undefined && !link);
  expect(resolved).toEqual([]);
  const missing = Object.entries(packages).flatMap(([from, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies })
      .filter((name) => ![...placesOf(name, from)].some((place) => place in packages))
      .map((name) => `${name}, needed by ${from}`),
  );
  expect(missing).toEqual([]);
});
