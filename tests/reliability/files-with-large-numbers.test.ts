/** Files whose numbers differ only beyond 2^53, as on NTFS, ZFS and overlayfs, are told from each other. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { backupDatabase, copyStores, SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freshFolder, patchOf, rowsOf } from '../support/files.ts';
import { canMount } from '../support/small-disk.ts';
import { makeStoreFile } from '../support/store-files.ts';

/** The folder of an overlay of two file systems, which numbers the files of the lower one from 2^63 on. */
function overlay(fill: (lower: string) => void): string {
  const folder = freshFolder();
  const at = (name: string) => join(folder, name);
  const mount = (type: string, options: string, place: string) => {
    mkdirSync(at(place));
    execFileSync('mount', ['-t', type, '-o', options, 'none', at(place)], { stdio: 'pipe' });
    onTestFinished(() => void execFileSync('umount', ['-l', at(place)]));
  };
  mount('tmpfs', 'size=16m', 'lower');
  fill(at('lower'));
  mount('tmpfs', 'size=16m', 'upper');
  for (const name of ['files', 'work']) mkdirSync(join(at('upper'), name));
  const [lowerdir, upperdir, workdir] = [at('lower'), at('upper/files'), at('upper/work')];
  mount('overlay', `lowerdir=${lowerdir},upperdir=${upperdir},workdir=${workdir},xino=on`, 'both');
  return at('both');
}

const twoFiles = () => {
  const folder = overlay((lower) => {
    makeStoreFile(join(lower, 'a.db'));
    makeStoreFile(join(lower, 'b.db'), { patches: 5 });
  });
  const [a, b] = [join(folder, 'a.db'), join(folder, 'b.db')];
  expect(statSync(a).ino).toBe(statSync(b).ino); // to JavaScript's ordinary numbers
  return { a, b };
};

const canOverlay = canMount && readFileSync('/proc/filesystems', 'utf8').includes('overlay');

describe.runIf(canOverlay)('two files whose numbers are one as ordinary numbers', () => {
  it('are source and target of a backup and of a copy', async () => {
    const { a, b } = twoFiles();
    await copyStores(b, a, { Overwrite: true });
    expect(rowsOf(a).patches).toHaveLength(10);
    await backupDatabase(a, b, { Overwrite: true });
    expect(rowsOf(b)).toEqual(rowsOf(a));
  });

  it('are not one: what is written after a file was replaced is in the one that took its place', async () => {
    const { a, b } = twoFiles();
    const provider = new SDS_DesktopPersistenceProvider(a, 'new');
    await provider.appendPatch(patchOf('before'), 1);
    for (const end of ['-wal', '-shm']) rmSync(a + end);
    renameSync(b, a);
    await provider.appendPatch(patchOf('after'), 2);
    await provider.close();
    expect(rowsOf(a).patches.filter(({ store_id }) => store_id === 'new')).toMatchObject([{ clock: 2 }]);
  });
});
