/** Operations that come while a compaction, or a copy that is put back, gives the name of a file to another one. */
import { execFileSync } from 'node:child_process';
import { chownSync, copyFileSync, existsSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  backupDatabase,
  compactDatabase,
  copyStores,
  SDS_DesktopPersistenceProvider,
  verifyDatabase,
} from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { freshFolder, patchOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';
import { makeStoreFile } from '../support/store-files.ts';

const packagePath = JSON.stringify(join(import.meta.dirname, '../../dist/index.js'));

/** As soon as the file is being replaced the others begin, and once it is, a program works with it. */
const compaction = (inTwo: boolean) => `
import { fork } from 'node:child_process';
import { once } from 'node:events';
const { backupDatabase, compactDatabase, copyStores, verifyDatabase } = await import(${packagePath});
const others = () => Promise.all([
  copyStores(file + '.other', file),
  backupDatabase(file, file + '.saved', { Overwrite: true }),
  verifyDatabase(file).then(({ Findings }) => Findings),
]);
if (process.argv[2] === 'others') {
  process.on('message', async () => process.send((await others().catch(({ message }) => [message])).at(-1)));
  process.send('ready');
} else {
  const child = ${inTwo} ? fork(process.argv[1], ['others']) : undefined;
  if (child !== undefined) await once(child, 'message');
  const asked = async () => {
    if (child === undefined) return (await others().catch(({ message }) => [message])).at(-1);
    child.send('go');
    return (await once(child, 'message'))[0];
  };
  const before = new SDS_DesktopPersistenceProvider(file, 'notes');
  for (let i = 1; i <= 20000; i++) before.appendPatch(new Uint8Array(600).fill(i), i);
  await before.close();
  const other = new SDS_DesktopPersistenceProvider(file + '.other', 'copied');
  for (let i = 1; i <= 500; i++) other.appendPatch(new Uint8Array(600), i);
  await other.close();
  let found;
  const OnProgress = () => { found ??= asked(); };
  await compactDatabase(file, { OnProgress });
  let isUnderWay = true;
  found.then(() => { isUnderWay = false; });
  const provider = new SDS_DesktopPersistenceProvider(file, 'notes', { BusyTimeoutMs: 30000 });
  let stored = 20000;
  for (; isUnderWay; stored++) await provider.appendPatch(new Uint8Array(700), stored + 1);
  await provider.close();
  const after = new SDS_DesktopPersistenceProvider(file, 'notes');
  const copied = new SDS_DesktopPersistenceProvider(file, 'copied');
  const lost = stored - (await after.loadPatchesSince(0)).length;
  const count = (await copied.loadPatchesSince(0)).length;
  await Promise.all([after.close(), copied.close()]);
  const isSound = async (path) => (await verifyDatabase(path)).Sound;
  console.log(JSON.stringify([await found, lost, count, await isSound(file), await isSound(file + '.saved')]));
  child?.disconnect();
}`;

it.each([
  ['one process', false],
  ['two processes', true],
])('what waits for a compaction goes on with the new file and its log: in %s', async (_, inTwo) => {
  const { stdout, stderr, signal } = await runProgram(compaction(inTwo), join(freshFolder(), 'notes.db'));
  expect({ stdout, stderr, signal }).toEqual({ stdout: '[[],0,500,true,true]\n', stderr: '', signal: null });
});

it('a compaction that was late to lock the file leaves the one that has its name now, and its log, as they are', async () => {
  const folder = freshFolder();
  const file = makeStoreFile(join(folder, 'notes.db'));
  const gate = join(folder, 'gate');
  execFileSync('mkfifo', [gate]);
  const preload = join(folder, 'held-up.cjs');
  writeFileSync(
    preload,
    `const { readFileSync, writeSync } = require('node:fs');
    const { DatabaseSync } = require('node:sqlite');
    const { exec } = DatabaseSync.prototype;
    DatabaseSync.prototype.exec = function (sql) {
      if (sql.includes('locking_mode = EXCLUSIVE')) {
        writeSync(1, 'it is open ');
        readFileSync(${JSON.stringify(gate)});
      }
      return exec.call(this, sql);
    };`,
  );
  let meanwhile: Promise<SDS_DesktopPersistenceProvider> | undefined;
  const { stdout, stderr } = await runProgram(
    `const { compactDatabase } = await import(${packagePath});
    console.log(await compactDatabase(file).catch(({ code }) => code));`,
    file,
    {
      flags: ['--disable-warning=ExperimentalWarning', '--require', preload],
      onOutput: () => {
        meanwhile ??= (async () => {
          await compactDatabase(file);
          const provider = new SDS_DesktopPersistenceProvider(file, 'tasks');
          await provider.appendPatch(patchOf(1000), 1000);
          writeFileSync(gate, '');
          return provider;
        })();
      },
    },
  );
  expect({ stdout, stderr }).toEqual({ stdout: 'it is open database-busy\n', stderr: '' });
  const provider = await meanwhile;
  await provider?.appendPatch(patchOf(1001), 1001);
  await provider?.close();
  const after = new SDS_DesktopPersistenceProvider(file, 'tasks');
  expect((await after.loadPatchesSince(30)).map(String)).toEqual([1000, 1001].map((i) => String(patchOf(i))));
  await after.close();
});

/** What happens to the target once the work has begun. */
const once = (work: () => void) => {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
};

it('a file that takes the name of another one while a provider opens that is the one that is written', async () => {
  const folder = freshFolder();
  const [file, other, preloaded] = [join(folder, 'store.db'), join(folder, 'other.db'), join(folder, 'preloaded.cjs')];
  for (const path of [file, other]) {
    await using provider = new SDS_DesktopPersistenceProvider(path, 'store');
    await provider.appendPatch(patchOf(path), 1);
  }
  // once all else is done, where SQLite is asked for the path
  writeFileSync(
    preloaded,
    `const { isMainThread } = require('node:worker_threads');
    const { existsSync, renameSync } = require('node:fs');
    const { DatabaseSync } = require('node:sqlite');
    const { prepare } = DatabaseSync.prototype;
    const [file, other] = ${JSON.stringify([file, other])};
    DatabaseSync.prototype.prepare = function (sql) {
      if (!isMainThread && sql.includes('pragma_database_list') && existsSync(other)) renameSync(other, file);
      return prepare.call(this, sql);
    };`,
  );
  const program = `await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await provider.appendPatch(patchOf('afterwards'), 2);`;
  expect(await runProgram(program, file, { flags: ['--require', preloaded] })).toMatchObject({ code: 0, stderr: '' });
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  expect(await provider.loadPatchesSince(0)).toEqual([patchOf(other), patchOf('afterwards')]);
});

it('a backup that may overwrite takes the place of a file that comes while it is made, and is its owner’s', async () => {
  const folder = freshFolder();
  const source = makeStoreFile(join(folder, 'notes.db'));
  const target = join(folder, 'saved.db');
  const other = makeStoreFile(join(folder, 'other.db'), { patches: 1 });
  const { uid, gid } = statSync(source);
  const owner = uid === 0 ? 4242 : uid; // only root gives files away
  const comes = () => {
    copyFileSync(other, target);
    chownSync(target, owner, gid);
  };
  await backupDatabase(source, target, { Overwrite: true, OnProgress: once(comes) });
  expect((await verifyDatabase(target)).Checked.Patches).toBe(60);
  if (process.platform !== 'win32') expect(statSync(target).uid).toBe(owner);
  const again = backupDatabase(source, join(folder, 'new.db'), {
    OnProgress: once(() => copyFileSync(other, join(folder, 'new.db'))),
  });
  await expect(again).rejects.toThrow(/came meanwhile, and was left as it is; try again/);
});

it('a backup that may overwrite appears also if the file is moved away while it is made', async () => {
  const folder = freshFolder();
  const source = makeStoreFile(join(folder, 'notes.db'));
  const target = makeStoreFile(join(folder, 'saved.db'), { patches: 1 });
  const OnProgress = once(() => renameSync(target, `${target}.1`));
  await backupDatabase(source, target, { Overwrite: true, OnProgress });
  expect((await verifyDatabase(target)).Checked.Patches).toBe(60);
  expect((await verifyDatabase(`${target}.1`)).Checked.Patches).toBe(2);
});

it('a log that is left where the file was moved away from is not taken for that of a backup', async () => {
  const folder = freshFolder();
  const source = makeStoreFile(join(folder, 'notes.db'));
  const target = join(folder, 'saved.db');
  const OnProgress = once(() => writeFileSync(`${target}-wal`, 'of another file'));
  await expect(backupDatabase(source, target, { Overwrite: true, OnProgress })).rejects.toThrow(
    /saved\.db-wal' is there without its database/,
  );
  expect(existsSync(target)).toBe(false);
});

it('a copy into a new file leaves one that comes while it is made, and says what to do', async () => {
  const folder = freshFolder();
  const source = makeStoreFile(join(folder, 'notes.db'));
  const target = join(folder, 'copied.db');
  const other = makeStoreFile(join(folder, 'other.db'), { patches: 1 });
  const come = once(() => copyFileSync(other, target));
  const OnProgress = ({ Done }: { Done: number }) => (Done > 0 ? come() : undefined);
  await expect(copyStores(source, target, { Overwrite: true, OnProgress })).rejects.toMatchObject({
    code: 'file-exists',
    message: expect.stringMatching(/came meanwhile, and was left as it is; try again/),
  });
  expect((await verifyDatabase(target)).Checked.Patches).toBe(2);
});
