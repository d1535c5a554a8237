/** What an operation makes of a file may be read by those who may read that file, and while it is made by nobody else. */
import { chmodSync, chownSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { backupDatabase, compactDatabase, copyStores, restoreDatabase } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { asSomebody } from '../support/as-somebody.ts';
import { freshFolder } from '../support/files.ts';
import { bytesIn, makeStoreFile } from '../support/store-files.ts';

const rights = (path: string) => (statSync(path).mode & 0o777).toString(8);

const works: [string, (source: string, target: string, options: object) => Promise<unknown>][] = [
  ['backupDatabase', backupDatabase],
  ['restoreDatabase', restoreDatabase],
  ['copyStores', copyStores],
  ['copyStores of several', (source, target, options) => copyStores([source, `${source}.more`], target, options)],
];

it.runIf(process.platform !== 'win32').each(works)('%s', async (_, work) => {
  const folder = freshFolder();
  const source = makeStoreFile(join(folder, 'store.db'), { patches: 1500, patchBytes: 3000 });
  makeStoreFile(`${source}.more`, { sql: "UPDATE patches SET store_id = store_id || '2'; DELETE FROM snapshots" });
  chmodSync(`${source}.more`, 0o644);
  for (const mode of [0o600, 0o640, 0o664]) {
    chmodSync(source, mode);
    const target = join(folder, `target-${mode}.db`);
    const meanwhile = new Set<string>();
    await work(source, target, {
      OnProgress() {
        for (const name of readdirSync(folder)) {
          if (/^sds-partial-.*\.db/.test(name)) meanwhile.add(rights(join(folder, name)));
        }
      },
    });
    expect(rights(target)).toBe((mode & (work === works[3]?.[1] ? 0o644 : 0o777)).toString(8));
    expect([...meanwhile].filter((other) => other !== '600' && other !== rights(target))).toEqual([]);
  }
});

it.runIf(process.platform !== 'win32')(
  'a backup of a file that is write-protected can be restored and written to',
  async () => {
    const folder = freshFolder();
    const source = makeStoreFile(join(folder, 'store.db'));
    chmodSync(source, 0o440);
    await restoreDatabase(source, join(folder, 'restored.db'));
    expect(rights(join(folder, 'restored.db'))).toBe('640');
  },
);

/** Carries out a work as a user without rights, whose own group is 1000; `undefined` if no such user can be had. */
function workAsSomebody(work: string, paths: string[], options: object): string | undefined {
  const args = paths.map((path) => JSON.stringify(path)).join();
  return asSomebody(`await all.${work}(${args}, ${JSON.stringify(options)}); console.log('done')`);
}

describe('made by somebody of another group', () => {
  it.for(['backupDatabase', 'restoreDatabase', 'copyStores'] as const)(
    '%s: the group of the source may read it if it can be given to that, else no group may',
    async (work, { skip }) => {
      const folder = freshFolder();
      chmodSync(folder, 0o777);
      const source = makeStoreFile(join(folder, 'store.db'));
      chownSync(source, 1000, 4242);
      chmodSync(source, 0o660);
      const target = join(folder, 'target.db');
      const told = workAsSomebody(work, [source, target], {});
      if (told === undefined) return skip('only root can be another user');
      expect(told).toBe('done\n');
      expect([statSync(target).gid, rights(target)]).toEqual([1000, '600']);
      chownSync(source, 1000, 1000);
      const own = join(folder, 'own.db');
      workAsSomebody(work, [source, own], {});
      expect([statSync(own).gid, rights(own)]).toEqual([1000, '660']);
      chownSync(source, 0, 4242);
      const byRoot = join(folder, 'by-root.db');
      await { backupDatabase, restoreDatabase, copyStores }[work](source, byRoot);
      expect([statSync(byRoot).gid, rights(byRoot)]).toEqual([4242, '660']);
    },
  );

  it('copyStores of files of two groups: no group may read it', async ({ skip }) => {
    if (process.getuid?.() !== 0) return skip('only root can give files to any group');
    const folder = freshFolder();
    const sources = ['a.db', 'b.db'].map((name) => makeStoreFile(join(folder, name)));
    const target = join(folder, 'target.db');
    sources.forEach((source, index) => {
      chownSync(source, 0, 4242 + index);
      chmodSync(source, 0o640);
    });
    await copyStores(sources, target, { Stores: [] });
    expect(rights(target)).toBe('600');
  });

  it.for(['backupDatabase', 'restoreDatabase', 'compactDatabase'])(
    '%s does not take the place of a file of another owner: it stays as it was, and that is told before anything is copied',
    (work, { skip }) => {
      const folder = freshFolder();
      chmodSync(folder, 0o777);
      const source = makeStoreFile(join(folder, 'store.db'));
      const target = makeStoreFile(join(folder, 'target.db'));
      for (const path of [source, target]) chmodSync(path, 0o666);
      const before = bytesIn(folder);
      const paths = work === 'compactDatabase' ? [target] : [source, target];
      const told = workAsSomebody(work, paths, work === 'compactDatabase' ? {} : { Overwrite: true });
      if (told === undefined) return skip('only root can be another user');
      expect(told).toMatch(
        /^read-only \w+ \('.*target\.db'\): the rights of the file or its folder do not permit this/,
      );
      expect(bytesIn(folder)).toEqual(before);
    },
  );
});

it.runIf(process.platform !== 'win32')('a file that is replaced keeps its rights', async () => {
  const folder = freshFolder();
  const source = makeStoreFile(join(folder, 'store.db'));
  const target = makeStoreFile(join(folder, 'target.db'));
  chmodSync(source, 0o600);
  chmodSync(target, 0o640);
  await backupDatabase(source, target, { Overwrite: true });
  await compactDatabase(source);
  expect([rights(source), rights(target)]).toEqual(['600', '640']);
});
