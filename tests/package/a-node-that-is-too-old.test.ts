/** A Node without SQLite is told which one is needed, at once, and not by whatever the first call happens to meet. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { installed, nodes, nodeWithoutSqlite, place, runNode } from './a-fresh-machine.ts';

const needs =
  /^Error: sds-persistence-worker needs Node 22\.5 or later, which has SQLite, and this is Node 20\.\d+\.\d+: install a newer one\.$/m;

it.each([
  ['main.mjs', `import 'sds-persistence-worker'; console.log('imported');`],
  ['main.cjs', `require('sds-persistence-worker'); console.log('imported');`],
  ['later.cjs', `import('sds-persistence-worker').then(() => console.log('imported'));`],
])('Node 20, %s: the import says it', async (name, text) => {
  const folder = await installed();
  const { exitCode, stdout, stderr } = await runNode([place(folder, name, text)], {
    cwd: folder,
    node: nodeWithoutSqlite,
  });
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
  expect(stderr).toMatch(needs);
  // Node prints the line of code that it comes from before it
  expect(Math.max(...stderr.split('\n').map((line) => line.length))).toBeLessThan(200);
});

it.each(['yjs', 'hocuspocus', 'automerge-repo', 'merged-documents'])(
  '%s says it as well, also on one that lacks more',
  async (entry) => {
    const folder = await installed();
    // it came with Node 20.16
    place(folder, 'older.cjs', 'delete process.getBuiltinModule;');
    for (const program of [
      place(folder, 'main.mjs', `import 'sds-persistence-worker/${entry}';`),
      place(folder, 'main.cjs', `require('sds-persistence-worker/${entry}');`),
    ]) {
      const flags = ['--require', join(folder, 'older.cjs')];
      const { exitCode, stderr } = await runNode([...flags, program], { cwd: folder, node: nodeWithoutSqlite });
      expect(exitCode).toBe(1);
      expect(stderr).toMatch(needs);
    }
  },
);

it('a newer one that was built without SQLite: the same, by import, require and command line', async () => {
  const folder = await installed();
  // what such a build tells of itself
  place(
    folder,
    'without.cjs',
    `const { sqlite, ...versions } = process.versions; Object.defineProperty(process, 'versions', { value: versions });`,
  );
  const flags = ['--require', join(folder, 'without.cjs')];
  const bin = join(folder, 'node_modules/sds-persistence-worker/dist/bin.js');
  const programs = [
    [place(folder, 'main.mjs', `import 'sds-persistence-worker';`)],
    [place(folder, 'main.cjs', `require('sds-persistence-worker');`)],
    [bin, 'info', 'x.db'],
  ];
  for (const program of programs) {
    const { exitCode, stderr } = await runNode([...flags, ...program], { cwd: folder, node: nodes['24'] });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /needs Node 22\.5 or later, .* this is Node 24\.\d+\.\d+, built without it: install a newer one/,
    );
  }
});
