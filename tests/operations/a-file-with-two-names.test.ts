/** A file with two names (hard links): the log of an open one lies beside one name, so under the other one half of it would be missing. */
import { execFileSync } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  backupDatabase,
  compactDatabase,
  copyStores,
  describeDatabase,
  restoreDatabase,
  SDS_DesktopPersistenceProvider,
  verifyDatabase,
} from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { freshFile, freshFolder, patchOf, rowsOf } from '../support/files.ts';
import { bytesBeside, makeStoreFile } from '../support/store-files.ts';

const works: [string, (named: string, other: string) => Promise<unknown>][] = [
  ['is not backed up', (named, other) => backupDatabase(named, `${other}.new`)],
  ['is not restored from', (named, other) => restoreDatabase(named, `${other}.new`)],
  ['is not verified', (named) => verifyDatabase(named)],
  ['is not described', (named) => describeDatabase(named)],
  ['is not compacted', (named) => compactDatabase(named)],
  ['is not copied from', (named, other) => copyStores(named, `${other}.new`)],
  ['is not copied into', (named, other) => copyStores(other, named, { Overwrite: true })],
  ['is not replaced by a backup', (named, other) => backupDatabase(other, named, { Overwrite: true })],
  ['is not replaced by a restored file', (named, other) => restoreDatabase(other, named, { Overwrite: true })],
];

it.each(works)('%s, and goes on as if nothing had been asked', async (_, work) => {
  const dbPath = freshFile();
  const alias = join(dirname(dbPath), 'alias.db');
  const other = makeStoreFile(join(freshFolder(), 'other.db'));
  {
    await using provider = new SDS_DesktopPersistenceProvider(dbPath, 'notes');
    await provider.appendPatch(patchOf(1), 1);
  }
  linkSync(dbPath, alias);
  {
    await using provider = new SDS_DesktopPersistenceProvider(dbPath, 'notes');
    await provider.appendPatch(patchOf(2), 2);
    for (const name of [alias, dbPath]) {
      await expect(work(name, other)).rejects.toMatchObject({
        code: 'invalid-argument',
        message: expect.stringContaining('2 names (hard links)'),
      });
    }
    await provider.appendPatch(patchOf(3), 3);
  }
  rmSync(alias);
  expect((await verifyDatabase(dbPath)).Sound).toBe(true);
  expect(rowsOf(dbPath).patches).toHaveLength(3);
  expect(Object.keys(bytesBeside(other))).toEqual([other]);
});

it('the name under which a killed process has made the file is none', async () => {
  const dbPath = makeStoreFile(freshFile());
  const target = makeStoreFile(freshFile(), { patches: 1 });
  linkSync(target, join(dirname(target), 'sds-partial-01234567-0123456789ab.db'));
  expect((await verifyDatabase(target)).Sound).toBe(true);
  await backupDatabase(dbPath, target, { Overwrite: true });
  expect(rowsOf(target)).toEqual(rowsOf(dbPath));
});

const hasFuse = existsSync('/dev/fuse') && existsSync('/usr/bin/bindfs') && process.getuid?.() === 0;

it.runIf(hasFuse)('a file that was just made has one name, also where FUSE keeps what it has told', async () => {
  const folder = freshFolder();
  const mounted = join(folder, 'mounted');
  mkdirSync(mounted);
  mkdirSync(join(folder, 'real'));
  execFileSync('bindfs', [join(folder, 'real'), mounted]);
  onTestFinished(() => void execFileSync('fusermount', ['-u', '-z', mounted]));
  const dbPath = makeStoreFile(freshFile());
  await backupDatabase(dbPath, join(mounted, 'backup.db'));
  expect((await verifyDatabase(join(mounted, 'backup.db'))).Sound).toBe(true);
  await restoreDatabase(join(mounted, 'backup.db'), join(mounted, 'restored.db'));
  expect((await verifyDatabase(join(mounted, 'restored.db'))).Sound).toBe(true);
});
