/** What a process that ends by `process.exit()` does about files that stay locked. Each of these waits for ten seconds, so they do it side by side. */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { freshFile, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

/** Preloaded into each worker thread: at its first INSERT, that of one file keeps the other one locked for longer than an exit waits, and stays there until that has its patch. */
const lockingThread = `
const { isMainThread } = require('node:worker_threads');
if (!isMainThread) {
  const { writeFileSync } = require('node:fs');
  const { DatabaseSync } = require('node:sqlite');
  const { prepare } = DatabaseSync.prototype;
  const sleep = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  let other;
  DatabaseSync.prototype.prepare = function (sql) {
    const path = this.location();
    if (other === undefined && sql.startsWith('INSERT') && path.endsWith('.slow')) {
      other = new DatabaseSync(path.slice(0, -5));
      other.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
      writeFileSync(path + '.locked', '');
      sleep(13_000);
      other.exec('ROLLBACK');
      const isThere = prepare.call(other, 'SELECT 1 FROM patches');
      for (let left = 6000; left > 0 && isThere.get() === undefined; left--) sleep(5);
      other.close();
    }
    return prepare.call(this, sql);
  };
}`;

/** Preloaded: how many patches a file has is printed before each line on stderr. */
const countingThread = (file: string) => `
const fs = require('node:fs');
const { DatabaseSync } = require('node:sqlite');
const { writeSync } = fs;
fs.writeSync = (fd, ...given) => {
  if (fd === 2) {
    const reader = new DatabaseSync(${JSON.stringify(file)}, { readOnly: true });
    writeSync(1, reader.prepare('SELECT count(*) AS count FROM patches').get().count + '\\n');
    reader.close();
  }
  return writeSync(fd, ...given);
};`;

function freshPlace(finished: TestContext['onTestFinished']) {
  const file = freshFile(finished);
  return { file, folder: dirname(file) };
}

describe.concurrent('a process that ends', () => {
  it('of files that stay locked one is named on stderr, and that acknowledged calls may be lost; their number adds nothing to the wait', async ({
    onTestFinished,
  }) => {
    const { file, folder } = freshPlace(onTestFinished);
    const ended = await runProgram(
      `const other = new SDS_DesktopPersistenceProvider(file + '.other', 'store');
      await other.ready();
      for (let i = 0; i < 30; i++) {
        const provider = new SDS_DesktopPersistenceProvider(file + i, 'store', { BusyTimeoutMs: 600_000 });
        await provider.ready();
        lockFile(file + i);
        await provider.saveSnapshot(patchOf(i), 1);
      }
      other.appendPatch(patchOf(1), 1);
      process.exit(0);`,
      file,
      // each worker is waited for
      { folder, flags: ['--disable-warning=ExperimentalWarning'], env: { SDS_PERSISTENCE_WORKERS: '1' } },
    );
    expect(ended).toMatchObject({ code: 0, stdout: '' });
    expect(ended.stderr).toContain(`calls on '${file}0' and 29 more may be lost, also some that were acknowledged`);
    expect(ended.stderr.match(/may be lost/g)).toHaveLength(1);
    expect(ended.stderr).toMatch(/see whether another process has it locked, and whether the disk answers$/m); // and of no server
    expect(rowsOf(`${file}.other`).patches).toHaveLength(1);
  });

  it('beside files that stay locked, what was called is committed while those are waited for, once in all', async ({
    onTestFinished,
  }) => {
    const { file, folder } = freshPlace(onTestFinished);
    const preload = join(folder, 'counting-thread.cjs');
    writeFileSync(preload, countingThread(file));
    const { code, stdout, stderr } = await runProgram(
      `const locked = [];
      for (let i = 0; i < 2; i++) {
        const provider = new SDS_DesktopPersistenceProvider(file + i, 'store', { BusyTimeoutMs: 600_000 });
        await provider.ready();
        locked.push(provider);
        lockFile(file + i);
      }
      const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      await provider.ready();
      process.on('exit', () => {
        for (let clock = 2; clock <= 4; clock++) for (const provider of locked) provider.appendPatch(patchOf(clock), clock);
        provider.appendPatch(patchOf(101), 101);
      });
      for (const provider of locked) provider.appendPatch(patchOf(1), 1);
      for (let clock = 1; clock <= 100; clock++) provider.appendPatch(patchOf(clock), clock);
      process.exit(7);`,
      file,
      {
        folder,
        flags: ['--disable-warning=ExperimentalWarning', '--require', preload],
        env: { SDS_PERSISTENCE_WORKERS: '3' }, // each file has one
      },
    );
    expect({ code, stdout }).toEqual({ code: 7, stdout: '100\n100\n' });
    expect(stderr.match(/nothing was committed for 10000 ms .* calls on '[^']+' may be lost/g)).toHaveLength(2);
    expect(rowsOf(file).patches).toHaveLength(101);
  });

  it('a file that stays locked is given up, however many calls wait for it one after the other', async ({
    onTestFinished,
  }) => {
    const { file, folder } = freshPlace(onTestFinished);
    const { code, stderr } = await runProgram(
      `const provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 3000 });
      await provider.ready();
      const holder = lockFile(file);
      // each of them is a batch by itself
      for (let clock = 1; clock <= 8; clock++) void provider.saveSnapshot(new Uint8Array(300_000), clock);
      process.exit(holder.isTransaction ? 0 : 1);`,
      file,
      { folder, flags: ['--disable-warning=ExperimentalWarning'] },
    );
    expect(code).toBe(0);
    expect(stderr).toContain('nothing was committed for 10000 ms');
  });

  it('of a file that was given up and is committed while others are waited for: nothing is said', async ({
    onTestFinished,
  }) => {
    const { file, folder } = freshPlace(onTestFinished);
    const preload = join(folder, 'locking-thread.cjs');
    writeFileSync(preload, lockingThread);
    const ended = await runProgram(
      `import { existsSync } from 'node:fs';
      const slow = new SDS_DesktopPersistenceProvider(file + '.slow', 'store');
      const provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 600_000 });
      await Promise.all([slow.ready(), provider.ready()]);
      slow.appendPatch(patchOf(1), 1);
      while (!existsSync(file + '.slow.locked')) await new Promise((resolve) => setTimeout(resolve, 5));
      provider.appendPatch(patchOf(1), 1);
      process.exit();`,
      file,
      {
        folder,
        flags: ['--disable-warning=ExperimentalWarning', '--require', preload],
        env: { SDS_PERSISTENCE_WORKERS: '2' },
      },
    );
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(rowsOf(file).patches).toHaveLength(1);
  });

  it('what is called in an exit listener is committed, beside a file of the same worker that was given up', async ({
    onTestFinished,
  }) => {
    const { file, folder } = freshPlace(onTestFinished);
    const { stdout, stderr } = await runProgram(
      `import { DatabaseSync } from 'node:sqlite';
      const locked = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 600_000 });
      await locked.ready();
      lockFile(file);
      const provider = new SDS_DesktopPersistenceProvider(file + '.other', 'store');
      await provider.ready();
      const reader = new DatabaseSync(file + '.other', { readOnly: true });
      process.on('exit', () => {
        for (let clock = 1; clock <= 5; clock++) {
          provider.appendPatch(patchOf(clock), clock);
          console.log(reader.prepare('SELECT count(*) AS count FROM patches').get().count);
        }
      });
      locked.appendPatch(patchOf(1), 1);
      process.exit();`,
      file,
      { folder, flags: ['--disable-warning=ExperimentalWarning'], env: { SDS_PERSISTENCE_WORKERS: '1' } },
    );
    expect(stdout).toBe('1\n2\n3\n4\n5\n');
    expect(stderr.match(/may be lost/g)).toHaveLength(1);
  });

  it('a file that stays locked is given up, however many loads wait for it before a write', async ({
    onTestFinished,
  }) => {
    const { file, folder } = freshPlace(onTestFinished);
    const { code, stderr } = await runProgram(
      `import { DatabaseSync } from 'node:sqlite';
      const holder = new DatabaseSync(file);
      holder.exec('CREATE TABLE another (it)'); // without a write-ahead log
      holder.exec('PRAGMA busy_timeout = 30000; BEGIN EXCLUSIVE'); // held to the end
      const provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 3000 });
      for (let count = 0; count < 1000; count++) provider.loadSnapshot().catch(() => undefined);
      void provider.appendPatch(new Uint8Array(9), 1);
      setImmediate(() => process.exit(holder.isTransaction ? 0 : 1));`,
      file,
      { folder, flags: ['--disable-warning=ExperimentalWarning'] },
    );
    expect(code).toBe(0);
    expect(stderr).toContain('nothing was committed for 10000 ms');
  });
});
