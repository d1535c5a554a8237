/**
 * A file that is moved away while it is open leaves its log behind. Another file of that name has this log, or its index, so that what a
 * checkpoint took from there could be the other one's.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as nextMillisecond } from 'node:timers/promises';
import { SDS_DesktopPersistenceProvider, verifyDatabase } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { filesBeside, freshFile, patchOf, rowsOf } from '../support/files.ts';
import { canMount, smallDisk } from '../support/small-disk.ts';

const holding = join(import.meta.dirname, '../support/holding-a-file.ts');

/** More than makes a checkpoint worth it. */
function writeMuch(provider: SDS_DesktopPersistenceProvider): Promise<void> {
  for (let clock = 1; clock <= 3000; clock++) void provider.appendPatch(new Uint8Array(1000), clock);
  return provider.flush();
}

it('what is acknowledged is in the file that was moved away, once its provider is closed, or the name is opened anew', async () => {
  for (const end of [(provider: SDS_DesktopPersistenceProvider) => provider.close(), () => undefined]) {
    const file = freshFile();
    await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
    for (let clock = 1; clock <= 5; clock++) await provider.appendPatch(patchOf(clock), clock);
    renameSync(file, `${file}.old`);
    await end(provider);
    await using anew = new SDS_DesktopPersistenceProvider(file, 'store');
    await anew.appendPatch(patchOf('of a new file'), 1);
    expect(rowsOf(`${file}.old`).patches).toHaveLength(5);
    expect(await anew.loadPatchesSince(0)).toEqual([patchOf('of a new file')]);
  }
});

it('a log is not taken into a file that was moved away once another file has its name, and into one that was put back it is', async () => {
  process.env.SDS_PERSISTENCE_WORKERS = '1'; // both files are tidied up in one round, the first one first
  const [file, other] = [freshFile(), freshFile()];
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await provider.ready();
  const reader = new DatabaseSync(file);
  reader.exec('BEGIN; SELECT * FROM patches'); // keeps the log out of the file meanwhile
  await writeMuch(provider);
  renameSync(file, `${file}.old`);
  writeFileSync(file, '');
  await using neighbour = new SDS_DesktopPersistenceProvider(other, 'store');
  await neighbour.ready(); // by the same thread: if it had looked at the first file just before that was moved, it is done
  reader.exec('COMMIT');
  reader.close();

  await writeMuch(neighbour);
  while (statSync(`${other}-wal`).size > 0) await nextMillisecond(10); // emptied, after some seconds of quiet
  expect(statSync(`${file}.old`).size).toBeLessThan(1_000_000);

  renameSync(`${file}.old`, file);
  await provider.appendPatch(patchOf('of a file that is back'), 0);
  while (statSync(file).size < 2_000_000) await nextMillisecond(1);
  expect(await provider.loadPatchesSince(-1)).toHaveLength(3001);
});

it('a backup that is put in its place by hand is not read with the log of the file before; once that is removed it is', async () => {
  const [file, backup] = [freshFile(), freshFile()];
  {
    await using before = new SDS_DesktopPersistenceProvider(backup, 'store');
    await before.appendPatch(patchOf('of the backup'), 1);
  }
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  for (let clock = 1; clock <= 20; clock++) await provider.appendPatch(new Uint8Array(1000), clock);
  renameSync(backup, file);
  const refused = { code: 'io-error', message: expect.stringContaining(`remove '${file}-wal'`) };
  await expect(provider.loadPatchesSince(0)).rejects.toMatchObject(refused);
  await expect(provider.appendPatch(patchOf(21), 21)).rejects.toMatchObject(refused);
  const second = new SDS_DesktopPersistenceProvider(file, 'store');
  await expect(second.ready()).rejects.toMatchObject(refused);
  for (const end of ['-wal', '-shm']) rmSync(file + end);
  await provider.appendPatch(patchOf('afterwards'), 2);
  expect(await second.loadPatchesSince(0)).toEqual([patchOf('of the backup'), patchOf('afterwards')]);
  await second.close();
});

it('a backup that is put in its place by hand, while its log is still there: close says so, too', async () => {
  const [file, backup] = [freshFile(), freshFile()];
  for (const path of [backup, file]) {
    await using provider = new SDS_DesktopPersistenceProvider(path, 'store');
    await provider.appendPatch(patchOf(path), 1);
  }
  const provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await provider.appendPatch(patchOf(2), 2);
  renameSync(backup, file);
  const refused = { code: 'io-error', message: expect.stringContaining(`remove '${file}-wal'`) };
  await expect(provider.close()).rejects.toMatchObject(refused);
});

it.each(['has the file open', 'is at its end'])(
  'a file without the index of its log, which was removed: what another process has committed beside it stays, and so does all else: it %s',
  async (what) => {
    const file = freshFile();
    await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
    for (let clock = 1; clock <= 5; clock++) await provider.appendPatch(patchOf(clock), clock);
    rmSync(`${file}-shm`);
    const holder = spawn(process.execPath, [holding, file, 'true'], { stdio: ['pipe', 'pipe', 'inherit'] });
    onTestFinished(() => void holder.kill());
    await once(holder.stdout, 'data'); // it has committed
    const ended = once(holder, 'exit');
    const end = () => {
      holder.stdin.end();
      return ended;
    };
    if (what === 'is at its end') await end();
    for (let clock = 6; clock <= 50; clock++) await provider.appendPatch(new Uint8Array(9000), clock);
    await end();
    expect(await provider.loadPatchesSince(0)).toHaveLength(50);
    await provider.close();
    expect(rowsOf(file).patches).toHaveLength(51);
    const { Findings } = await verifyDatabase(file);
    expect(Findings.map(({ Code }) => Code)).toEqual(['patches-without-start']); // of the patch of the other process
  },
);

it('a file without the index of its log, which was removed: who had it open before shares it without a name, and writes in turn with the provider', async () => {
  const file = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await provider.appendPatch(patchOf(1), 1);
  const holder = spawn(process.execPath, [holding, file], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void holder.kill());
  await once(holder.stdout, 'data');
  rmSync(`${file}-shm`);
  for (let clock = 2; clock <= 20; clock++) {
    await provider.appendPatch(new Uint8Array(9000), clock);
    holder.stdin.write('\n');
    await once(holder.stdout, 'data'); // it has committed
  }
  const ended = once(holder, 'exit');
  holder.stdin.end();
  await ended;
  await provider.close();
  expect(rowsOf(file).patches).toHaveLength(20 + 19);
  expect(filesBeside(file)).toEqual(['store.db']);
});

it('a file without the index of its log, which was removed: close takes the log in, with what a process has committed beside it', async () => {
  const file = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  for (let clock = 1; clock <= 5; clock++) await provider.appendPatch(patchOf(clock), clock);
  rmSync(`${file}-shm`);
  const holder = spawn(process.execPath, [holding, file, 'true'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(holder, 'exit');
  holder.stdin.end();
  await ended;
  await provider.close();
  expect(filesBeside(file)).toEqual(['store.db']);
  expect(rowsOf(file).patches).toHaveLength(6);
});

it('a file that is moved away without its log, whose index was removed: close takes the log into it', async () => {
  const file = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  for (let clock = 1; clock <= 5; clock++) await provider.appendPatch(patchOf(clock), clock);
  renameSync(file, `${file}-moved`);
  rmSync(`${file}-shm`);
  await provider.close();
  expect(rowsOf(`${file}-moved`).patches).toHaveLength(5);
});

it.runIf(canMount).each([
  ['at the next call', async (provider: SDS_DesktopPersistenceProvider) => void (await provider.loadPatchesSince(0))],
  ['at closing', (provider: SDS_DesktopPersistenceProvider) => provider.close()],
])('a copy of its volume that comes into its place keeps what is in its log: %s', async (_, goOn) => {
  const [disk, copy] = [smallDisk(), smallDisk()];
  const [file, copied] = [join(disk, 'store.db'), join(copy, 'store.db')];
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  for (let clock = 1; clock <= 5; clock++) await provider.appendPatch(patchOf(clock), clock);
  for (const end of ['', '-wal']) copyFileSync(file + end, copied + end);
  expect(statSync(copied).ino).toBe(statSync(file).ino);
  await provider.appendPatch(patchOf(6), 6);
  execFileSync('mount', ['--bind', copy, disk]);
  onTestFinished(() => void execFileSync('umount', ['-l', disk]));
  await goOn(provider);
  await using anew = new SDS_DesktopPersistenceProvider(file, 'store');
  expect(await anew.loadPatchesSince(0)).toHaveLength(5);
});
