/** A full disk and a quota that is used up have one code, whenever they are met; and what is stored can be read meanwhile. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  backupDatabase,
  copyStores,
  describeDatabase,
  restoreDatabase,
  SDS_DesktopPersistenceProvider,
  type SDS_PersistenceError,
  verifyDatabase,
} from 'sds-persistence-worker';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freshFolder, patchOf, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';
import { canMount, fill, smallDisk } from '../support/small-disk.ts';
import { makeLogWithoutIndex } from '../support/store-files.ts';

const errorOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error as SDS_PersistenceError,
  );

async function filled(dbPath: string): Promise<void> {
  const provider = new SDS_DesktopPersistenceProvider(dbPath, 'store');
  for (let clock = 1; clock <= 20; clock++) void provider.appendPatch(patchOf(clock), clock);
  await provider.saveSnapshot(patchOf('snapshot'), 20);
  await provider.saveValue('hash', patchOf('value'));
  await provider.close();
}

describe.skipIf(!canMount)('a full disk', () => {
  it('a file that is opened on it: everything is loaded, what writes says what is the matter, and goes on once there is room', async () => {
    const disk = smallDisk();
    const dbPath = join(disk, 'store.db');
    await filled(dbPath);
    const rest = fill(disk);
    const provider = new SDS_DesktopPersistenceProvider(dbPath, 'store', { Acknowledge: 'committed' });
    expect(await errorOf(provider.ready())).toMatchObject({ code: 'database-full' });
    expect(await provider.loadPatchesSince(0)).toHaveLength(20);
    expect(await provider.loadSnapshot()).toEqual(patchOf('snapshot'));
    expect(await provider.loadValue('hash')).toEqual(patchOf('value'));
    const writes: Record<string, () => Promise<unknown>> = {
      appendPatch: () => provider.appendPatch(patchOf(21), 21),
      saveSnapshot: () => provider.saveSnapshot(new Uint8Array(300_000), 21),
      prunePatches: () => provider.prunePatches(2),
      saveValue: () => provider.saveValue('other', patchOf('value')),
      releaseValue: () => provider.releaseValue('hash'),
      flush: () => provider.flush(),
    };
    for (const [name, write] of Object.entries(writes)) {
      const error = await errorOf(write());
      expect(error, name).toMatchObject({ code: 'database-full' });
      expect(error?.message, name).toMatch(/no space left on device.*make room/);
      expect(error?.message, name).toContain(dbPath);
    }
    // nobody is locked out by what was read
    const other = new DatabaseSync(dbPath, { readOnly: true });
    onTestFinished(() => other.close());
    rmSync(rest);
    await provider.appendPatch(patchOf(21), 21);
    expect(await provider.loadPatchesSince(0)).toHaveLength(21);
    await provider.ready();
    expect(other.prepare('SELECT count(*) AS n FROM patches').get()).toEqual({ n: 21 });
    await provider.close();
  });

  it('a file that a killed program has left, with its log: all that was acknowledged is loaded', async () => {
    const disk = smallDisk();
    const elsewhere = await makeLogWithoutIndex(join(freshFolder(), 'killed.db'));
    for (const end of ['', '-wal']) copyFileSync(elsewhere + end, join(disk, `killed.db${end}`));
    fill(disk);
    const provider = new SDS_DesktopPersistenceProvider(join(disk, 'killed.db'), 'tasks');
    const patches = await provider.loadPatchesSince(0);
    expect(patches).toHaveLength(31);
    expect(patches.at(-1)).toEqual(new Uint8Array(9000)); // the commit that is in the log alone
    await provider.close();
  });

  it('a file that is not there yet, or is empty, is no database without a patch: that would be believed', async () => {
    const disk = smallDisk();
    writeFileSync(join(disk, 'empty.db'), '');
    const rest = fill(disk);
    for (const name of ['empty.db', 'new.db']) {
      const provider = new SDS_DesktopPersistenceProvider(join(disk, name), 'store');
      expect(await errorOf(provider.loadPatchesSince(0)), name).toMatchObject({ code: 'database-full' });
      expect(await errorOf(provider.appendPatch(patchOf(1), 1)), name).toMatchObject({ code: 'database-full' });
      await provider.close();
    }
    rmSync(rest);
    const provider = new SDS_DesktopPersistenceProvider(join(disk, 'new.db'), 'store');
    await provider.appendPatch(patchOf(1), 1);
    await provider.close();
  });

  it('a file whose log lacks its index: how to look at it is told, and with some room it is checked, and saved elsewhere', async () => {
    const disk = smallDisk();
    const elsewhere = await makeLogWithoutIndex(join(freshFolder(), 'killed.db'));
    const dbPath = join(disk, 'killed.db');
    for (const end of ['', '-wal']) copyFileSync(elsewhere + end, dbPath + end);
    const rest = fill(disk);
    for (const operation of [
      describeDatabase,
      verifyDatabase,
      (path: string) => backupDatabase(path, `${elsewhere}2`),
    ]) {
      expect(await errorOf(operation(dbPath))).toMatchObject({
        code: 'database-full',
        message: expect.stringMatching(/the disk is full .*; make room and try again$/),
      });
    }
    rmSync(rest);
    const { Stores } = await describeDatabase(dbPath);
    expect(Stores?.find(({ StoreId }) => StoreId === 'tasks')).toMatchObject({ Patches: 31 });
    const { Findings } = await verifyDatabase(dbPath);
    expect(Findings.map(({ Code }) => Code)).toEqual(['patch-gap']); // of the patch that is in the log alone
    const target = join(freshFolder(), 'saved.db');
    await backupDatabase(dbPath, target);
    expect(rowsOf(target)).toEqual(rowsOf(elsewhere));
  });

  it('the target of an operation: the same code, how much is needed, and how much there is', async () => {
    const disk = smallDisk();
    const source = join(freshFolder(), 'source.db');
    await filled(source);
    fill(disk);
    for (const operation of [backupDatabase, restoreDatabase, copyStores]) {
      const error = await errorOf(operation(source, join(disk, 'target.db')));
      expect(error).toMatchObject({ code: 'database-full' });
      expect(error?.message).toMatch(
        /target\.db'\): the disk is full: at least [\d,]+ bytes are needed in this folder, [\d,]+ bytes are free; make room/,
      );
    }
  });
});

/** Compiled for this test's own folder; `undefined` where there is no C compiler, or no Linux. */
function quotaLibrary(): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const library = join(freshFolder(), 'over-quota.so');
  try {
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, join(import.meta.dirname, 'over-quota.c'), '-ldl'], {
      stdio: 'pipe',
    });
    return library;
  } catch {
    return undefined;
  }
}

it('a quota that is used up: before and after opening the code is that of a full disk, loads go on, and so does all afterwards', async ({
  skip,
}) => {
  const library = quotaLibrary();
  if (library === undefined) return skip('no C compiler makes the library that stands for a quota');
  const folder = freshFolder();
  const program = `
    import { rmSync, writeFileSync } from 'node:fs';
    const { backupDatabase, compactDatabase, copyStores } = await import(${JSON.stringify(join(import.meta.dirname, '../../dist/index.js'))});
    const usedUp = ${JSON.stringify(join(folder, 'used-up'))};
    const told = {};
    const committed = { Acknowledge: 'committed' };
    const note = async (name, promise) => { told[name] = await promise.then((found) => found?.length ?? 'done', (error) => error.code + (/quota/.test(error.message) ? ', quota' : ': ' + error.message)); };
    const elsewhere = file.replace('store.db', 'other.db');
    const early = new SDS_DesktopPersistenceProvider(file, 'store', committed);
    for (let clock = 1; clock <= 5; clock++) await early.appendPatch(new Uint8Array(1000), clock);
    const closed = new SDS_DesktopPersistenceProvider(elsewhere, 'store', committed);
    for (let clock = 1; clock <= 3; clock++) await closed.appendPatch(new Uint8Array(1000), clock);
    await closed.close();
    writeFileSync(usedUp, '');
    await note('early append', early.appendPatch(new Uint8Array(1000), 6));
    await note('early snapshot', early.saveSnapshot(new Uint8Array(1_000_000), 6));
    await note('early load', early.loadPatchesSince(0));
    const late = new SDS_DesktopPersistenceProvider(elsewhere, 'store', committed);
    await note('late ready', late.ready());
    await note('late append', late.appendPatch(new Uint8Array(1000), 4));
    await note('late load', late.loadPatchesSince(0));
    await note('backup', backupDatabase(file, elsewhere.replace('other', 'backup')));
    await note('copy', copyStores(file, elsewhere.replace('other', 'copied')));
    await late.close();
    await note('compact', compactDatabase(elsewhere));
    rmSync(usedUp);
    await note('early append afterwards', early.appendPatch(new Uint8Array(1000), 6));
    const again = new SDS_DesktopPersistenceProvider(elsewhere, 'store', committed);
    await note('late append afterwards', again.appendPatch(new Uint8Array(1000), 4));
    await note('all of the early one', early.loadPatchesSince(0));
    await note('all of the late one', again.loadPatchesSince(0));
    await Promise.all([early.close(), again.close()]);
    console.log(JSON.stringify(told));
  `;
  const env = { LD_PRELOAD: library, SDS_QUOTA_FOLDER: folder };
  const { stdout, stderr, code } = await runProgram(program, join(folder, 'store.db'), { env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const full = 'database-full, quota';
  expect(JSON.parse(stdout)).toEqual({
    'early append': full,
    'early snapshot': full,
    'early load': 5,
    'late ready': full,
    'late append': full,
    'late load': 3,
    backup: full,
    copy: full,
    compact: full,
    'early append afterwards': 'done',
    'late append afterwards': 'done',
    'all of the early one': 6,
    'all of the late one': 4,
  });
});
