/** A worker that is lost in the middle of some calls takes only what was handed over to it and not stored; the rest is as if nothing had been. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { freshFile, freshFolder, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

/** Preloaded: ends the first worker thread as it is about to run such a statement, as a crash in native code would. */
function deadlyAt(statement: RegExp): string {
  const folder = freshFolder();
  const preload = join(folder, 'deadly.cjs');
  writeFileSync(
    preload,
    `const { isMainThread } = require('node:worker_threads');
    if (!isMainThread) {
      const { existsSync, writeFileSync } = require('node:fs');
      const { DatabaseSync } = require('node:sqlite');
      const { prepare } = DatabaseSync.prototype;
      const marker = ${JSON.stringify(join(folder, 'died'))};
      DatabaseSync.prototype.prepare = function (sql) {
        if (${statement}.test(sql) && !existsSync(marker)) {
          writeFileSync(marker, '');
          process.exit(1);
        }
        return prepare.call(this, sql);
      };
    }`,
  );
  return preload;
}

it('a value that was handed over and stored is not said to be lost with the worker', async () => {
  const file = freshFile();
  const ended = await runProgram(
    `import { createHash } from 'node:crypto';
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', { VerifyValues: true });
    await provider.ready();
    const value = new Uint8Array(1_000_000).fill(1);
    const hash = createHash('sha256').update(value).digest('hex');
    const calls = [
      provider.saveValue(hash, transfer(value, [value.buffer])),
      provider.saveValue('0'.repeat(64), patchOf(2)),
      provider.saveSnapshot(patchOf(3), 3),
    ];
    for (const { status, reason } of await Promise.allSettled(calls)) console.log(status, reason?.code);
    await provider.close();`,
    file,
    { flags: ['--disable-warning=ExperimentalWarning', '--require', deadlyAt(/INTO snapshots/)] },
  );
  expect(ended).toMatchObject({
    code: 0,
    stdout: 'fulfilled undefined\nrejected invalid-argument\nfulfilled undefined\n',
  });
  expect(rowsOf(file)).toMatchObject({ blobs: [{ ref_count: 1 }], snapshots: [{ clock: 3 }] });
});

it('a load is answered by the next worker, though a write was called behind it before the first one was seen to be lost', async () => {
  const file = freshFile();
  const ended = await runProgram(
    `const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await provider.appendPatch(patchOf(1), 1);
    const load = provider.loadPatchesSince(0).then((patches) => patches.length, ({ code }) => code);
    for (let turn = 0; turn < 10; turn++) await null; // it was sent
    void provider.appendPatch(patchOf(2), 2);
    console.log(await load, provider.statistics().Worker.Restarts);
    await provider.close();`,
    file,
    { flags: ['--disable-warning=ExperimentalWarning', '--require', deadlyAt(/group_concat/)] },
  );
  expect(ended).toEqual({ code: 0, signal: null, stdout: '1 1\n', stderr: '' });
  expect(rowsOf(file).patches).toHaveLength(2);
});

it('a load whose answer was lost while the thread was blocked, and wrote behind it, rejects with worker-lost', async () => {
  const file = freshFile();
  const ended = await runProgram(
    `const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await provider.ready();
    const load = provider.loadPatchesSince(0).then(() => 'answered', ({ code }) => code);
    for (let turn = 0; turn < 10; turn++) await null; // it was sent
    void provider.appendPatch(patchOf(1), 1);
    console.log(provider.flushSync(), await load, provider.statistics().Worker.Restarts);
    await provider.close();`,
    file,
    { flags: ['--disable-warning=ExperimentalWarning', '--require', deadlyAt(/INTO patches/)] },
  );
  expect(ended).toMatchObject({ code: 0, stdout: 'false worker-lost 1\n' });
  expect(rowsOf(file).patches).toHaveLength(1);
});

it('a prune behind a snapshot that was stored is carried out by the next worker, whatever became of the one before', async () => {
  const file = freshFile();
  const ended = await runProgram(
    `let worker;
    process.on('worker', (started) => (worker = started));
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 0 });
    await provider.appendPatch(patchOf(1), 1);
    const holder = lockFile(file);
    await provider.saveSnapshot(patchOf('lost'), 1);
    console.log(await provider.flush().catch(({ code }) => code));
    holder.close();
    await provider.saveSnapshot(patchOf('stored'), 1);
    await provider.saveSnapshot(patchOf('stored, too'), 1);
    await provider.flush();
    await endThread(worker);
    await provider.prunePatches(2);
    await provider.flush();
    await provider.close();`,
    file,
    { env: { SDS_PERSISTENCE_WORKERS: '1' }, flags: ['--disable-warning=SDS_WRITE_FAILED'] },
  );
  expect(ended).toMatchObject({ code: 0, stdout: 'database-busy\n' });
  expect(rowsOf(file)).toMatchObject({ patches: [], snapshots: [{ clock: 1 }] });
});
