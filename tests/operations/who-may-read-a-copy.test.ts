/** What an operation makes of a file may be read by those who may read that file, and while it is made by nobody else. */
import { chmodSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { backupDatabase, compactDatabase, copyStores, restoreDatabase } from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { freshFolder } from '../support/files.ts';
import { makeStoreFile } from '../support/store-files.ts';

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
