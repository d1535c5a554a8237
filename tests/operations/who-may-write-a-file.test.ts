/** A user who may read a file and not write it makes nothing beside it: its owner could not write a log of his. */
import { chmodSync, chownSync, copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { asSomebody } from '../support/as-somebody.ts';
import { filesBeside, freshFolder, patchOf, rowsOf } from '../support/files.ts';
import { makeKilledFile, makeLogWithoutIndex, makeStoreFile } from '../support/store-files.ts';

const literal = (text: string) => JSON.stringify(text);
const forbidden = (path: string, end = '') => `EACCES: permission denied, access '${path}${end}'`;

/** In a folder that everybody may write. */
async function fileOfAnother(make: (path: string) => unknown = makeStoreFile): Promise<string> {
  const folder = freshFolder();
  const path = join(folder, 'store.db');
  await make(path);
  chmodSync(folder, 0o777);
  chmodSync(path, 0o644);
  chownSync(path, 2000, 2000);
  return path;
}

const works: Record<string, string> = {
  'a provider that only loads': "await new all.SDS_DesktopPersistenceProvider(path, 'tasks').loadPatchesSince(0)",
  'a provider that writes':
    "await new all.SDS_DesktopPersistenceProvider(path, 'tasks').appendPatch(new Uint8Array(1), 99)",
  'copyStores into it': 'await all.copyStores(other, path, { Overwrite: true })',
  'backupDatabase over it': 'await all.backupDatabase(other, path, { Overwrite: true })',
  'restoreDatabase over it': 'await all.restoreDatabase(other, path, { Overwrite: true })',
  compactDatabase: 'await all.compactDatabase(path)',
};

it.for(Object.entries(works))(
  '%s, by a user who may not write it: read-only, and nothing is left',
  async ([, work], { skip }) => {
    const path = await fileOfAnother();
    const other = makeStoreFile(join(freshFolder(), 'other.db'));
    chmodSync(join(other, '..'), 0o777);
    const before = filesBeside(path);
    const told = asSomebody(`const [path, other] = [${literal(path)}, ${literal(other)}]; ${work}`);
    if (told === undefined) return skip('only root can be another user');
    expect(told).toMatch(/^read-only \w+ \('.*store\.db'\): /);
    expect(told).toContain(forbidden(path));
    expect(filesBeside(path)).toEqual(before);
  },
);

it.for(['describeDatabase', 'verifyDatabase'])(
  '%s of a log without its index, by a user who may not write the file: refused, no index is made',
  async (work, { skip }) => {
    const path = await fileOfAnother(makeLogWithoutIndex);
    const before = filesBeside(path);
    const told = asSomebody(`await all.${work}(${literal(path)})`);
    if (told === undefined) return skip('only root can be another user');
    expect(told).toMatch(/^open-failed .* the index of its log not be made \(EACCES: .*\); check the rights, or copy /);
    expect(filesBeside(path)).toEqual(before);
  },
);

it('verifyDatabase of an empty log without its index, by such a user: read without it', async ({ skip }) => {
  const path = await fileOfAnother();
  writeFileSync(`${path}-wal`, '');
  const told = asSomebody(`console.log((await all.verifyDatabase(${literal(path)})).Checked.Patches)`);
  if (told === undefined) return skip('only root can be another user');
  expect(told).toBe('60\n');
  expect(filesBeside(path)).toEqual(['store.db', 'store.db-wal']);
});

it.for([0, 1000])(
  'a file of root, or his own, that such a user may only read: it is loaded (owner %i)',
  async (owner, { skip }) => {
    const path = await fileOfAnother();
    chownSync(path, owner, owner);
    chmodSync(path, 0o444);
    const told = asSomebody(`const provider = new all.SDS_DesktopPersistenceProvider(${literal(path)}, 'tasks');
    console.log((await provider.loadPatchesSince(0)).length > 0); await provider.close()`);
    if (told === undefined) return skip('only root can be another user');
    expect(told).toBe('true\n');
  },
);

it('a file that its owner has open is read by such a user', async ({ skip }) => {
  const path = await fileOfAnother();
  await using owner = new SDS_DesktopPersistenceProvider(path, 'store');
  await owner.appendPatch(patchOf(1), 1);
  const told = asSomebody(`const provider = new all.SDS_DesktopPersistenceProvider(${literal(path)}, 'store');
    console.log((await provider.loadPatchesSince(0)).length); await provider.close()`);
  if (told === undefined) return skip('only root can be another user');
  expect(told).toBe('1\n');
  await owner.appendPatch(patchOf(2), 2);
});

describe('a log that another user has left', () => {
  it.for(['-wal', '-shm'])('is named where writing fails: %s', async (end, { skip }) => {
    const path = await fileOfAnother();
    chownSync(path, 1000, 1000);
    const left = new DatabaseSync(path);
    left.exec('BEGIN IMMEDIATE; COMMIT'); // makes both, for the owner of the file
    chownSync(path + end, 0, 0);
    chmodSync(path + end, 0o644);
    const told = asSomebody(
      `await new all.SDS_DesktopPersistenceProvider(${literal(path)}, 'store').appendPatch(new Uint8Array(1), 1)`,
    );
    left.close();
    if (told === undefined) return skip('only root can be another user');
    expect(told).toMatch(
      /^read-only appendPatch .*check the permissions of the file, its log \(-wal, -shm\) and its folder/,
    );
    expect(told).toContain(forbidden(path, end));
  });
});

it('compactDatabase, by the owner of a file whose log he may not remove: refused, and the file is as it was', async ({
  skip,
}) => {
  const folder = freshFolder();
  const half = "DELETE FROM patches WHERE store_id = 'tasks' AND clock < 500";
  const path = await makeKilledFile(join(folder, 'store.db'), { patches: 900, sql: half });
  rmSync(`${path}-shm`);
  const before = join(freshFolder(), 'before.db');
  for (const end of ['', '-wal']) {
    copyFileSync(path + end, before + end);
    chmodSync(path + end, 0o666);
  }
  chownSync(path, 1000, 1000);
  chmodSync(folder, 0o1777); // there only its owner may remove a file
  const told = asSomebody(`await all.compactDatabase(${literal(path)})`);
  if (told === undefined) return skip('only root can be another user');
  expect(told).toMatch(/^read-only .*EPERM: operation not permitted, unlink '.*store.db-wal'/);
  expect(rowsOf(path)).toEqual(rowsOf(before));
});
