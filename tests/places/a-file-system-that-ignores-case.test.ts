/** Where `Notes.db` and `nOTES.db` are one file: nothing that is written in either spelling is lost. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { documentOf } from '../support/command-line.ts';
import { freshFolder, patchOf, rowsOf } from '../support/files.ts';
import { makeStoreFile } from '../support/store-files.ts';
import { leaveOut } from './left-out.ts';

const howToHaveOne =
  'file systems that ignore case: this one tells upper from lower, and no other can be mounted (as root, ext4 with casefold or vfat)';

/** Ways to make such a file system in a file, and whether a folder has to be told. */
const systems = [
  { make: ['mkfs.ext4', '-q', '-O', 'casefold', '-E', 'encoding=utf8'], isTold: true },
  { make: ['mkfs.vfat'], isTold: false },
];

function ignoresCase(folder: string): boolean {
  writeFileSync(join(folder, 'a'), '');
  return existsSync(join(folder, 'A'));
}

/** `undefined` if there is none to be had. */
function folderThatIgnoresCase(): string | undefined {
  const ordinary = freshFolder();
  if (ignoresCase(ordinary)) return ordinary;
  for (const { make, isTold } of systems) {
    const [image, place] = [join(ordinary, 'image'), join(ordinary, 'place')];
    mkdirSync(place, { recursive: true });
    try {
      const call = (program: string, ...args: string[]) => execFileSync(program, args, { stdio: 'ignore' });
      call('truncate', '--size=64M', image);
      const [program = '', ...args] = make;
      call(program, ...args, image);
      call('mount', '-o', 'loop', image, place);
      onTestFinished(() => void call('umount', '-l', place));
      const folder = join(place, 'folder');
      mkdirSync(folder);
      if (isTold) call('chattr', '+F', folder);
      if (ignoresCase(folder)) return folder;
    } catch {
      // not this one: no such program, no rights, or no such file system in this kernel
    }
  }
  return undefined;
}

it('two spellings of a file', async (context) => {
  const folder = folderThatIgnoresCase();
  if (folder === undefined) return leaveOut(context, howToHaveOne);
  const spellings = ['Notes.db', 'nOTES.db'].map((name) => join(folder, name));
  for (const first of [1, 101]) {
    const providers = spellings.map((path) => new SDS_DesktopPersistenceProvider(path, 'store'));
    const calls: Promise<void>[] = [];
    for (let clock = first; clock < first + 100; clock++) {
      calls.push(...providers.filter((_, i) => i === clock % 2).map((one) => one.appendPatch(patchOf(clock), clock)));
    }
    // a system that tells the name as it is stored makes one file of both: a read sees all that was called before
    const isOne = first > 1 && new Set(spellings.map((path) => realpathSync.native(path))).size === 1;
    if (isOne) expect(await providers[0]?.loadPatchesSince(0)).toHaveLength(first + 99);
    await Promise.all(calls);
    for (const provider of providers) expect(await provider.loadPatchesSince(0)).toHaveLength(first + 99);
    await Promise.all(providers.map((provider) => provider.close()));
  }
  const files = readdirSync(folder).filter((name) => name.includes('.'));
  expect(files).toHaveLength(1);
  expect(rowsOf(join(folder, files[0] ?? '')).patches).toHaveLength(200);
});

it('backups within the folder that is backed up, in another spelling, are not backed up again', async (context) => {
  const folder = folderThatIgnoresCase();
  if (folder === undefined) return leaveOut(context, howToHaveOne);
  mkdirSync(join(folder, 'data'));
  makeStoreFile(join(folder, 'data/one.db'));
  for (const target of ['data/saved', 'Data/Saved']) {
    const args = ['backup', '--recursive', '--overwrite', 'data', target];
    const { Results } = await documentOf(args, { cwd: folder });
    expect(Results.map(({ Path, Ok }) => [Path, Ok])).toEqual([['data/one.db', true]]);
  }
});
