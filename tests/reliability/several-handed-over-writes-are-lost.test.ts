/** Bytes that were handed over go down with a worker: each such call says so, and nothing else suffers. */
import { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { SDS_DesktopPersistenceProvider, transfer } from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { freshFile, patchOf, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

const workers: Worker[] = [];
process.on('worker', (worker) => workers.push(worker));

it('several of them: each call rejects, the worker is replaced once, and another file is written meanwhile', async () => {
  const [file, otherFile] = [freshFile(), freshFile()];
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 60_000 });
  await using other = new SDS_DesktopPersistenceProvider(otherFile, 'store');
  await Promise.all([provider.ready(), other.ready()]);
  const holder = new DatabaseSync(file);
  holder.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
  const small = provider.appendPatch(patchOf(1), 1);
  const lost = [2, 3, 4, 5].map((clock) => provider.appendPatch(transfer(new Uint8Array(300_000)), clock));
  const outcomes = Promise.allSettled(lost);
  await setImmediate(); // sent
  await Promise.all(workers.map((worker) => worker.terminate()));
  const others = Array.from({ length: 100 }, (_, at) => other.appendPatch(patchOf(at), at + 1));
  expect(await other.loadValue('nothing')).toBeUndefined();
  await Promise.all(others);
  holder.close();
  expect((await outcomes).map((one) => (one.status === 'rejected' ? one.reason.code : 'stored'))).toEqual(
    lost.map(() => 'worker-lost'),
  );
  await small;
  expect(provider.statistics().Worker.Restarts).toBe(1);
  expect(rowsOf(file).patches).toHaveLength(1);
  expect(rowsOf(otherFile).patches).toHaveLength(100);
});

it('a value: its promise does not resolve before it is stored, also where others do when they are queued', async () => {
  const file = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store', {
    Acknowledge: 'queued',
    BusyTimeoutMs: 60_000,
  });
  await provider.ready();
  const holder = new DatabaseSync(file);
  holder.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
  const saved = expect(provider.saveValue('hash', transfer(new Uint8Array(300_000)))).rejects.toMatchObject({
    code: 'worker-lost',
  });
  await setImmediate(); // sent
  await Promise.all(workers.map((worker) => worker.terminate()));
  holder.close();
  await saved;
});

it('but not those that a thread that had ended did not take: the next one has them', async () => {
  const file = freshFile();
  const { stdout } = await runProgram(
    `let worker;
    process.on('worker', (started) => (worker ??= started));
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await provider.ready();
    // before the library hears of that end
    worker.prependListener('exit', () => {
      provider.appendPatch(transfer(new Uint8Array(300_000)), 1).then(() => console.log('stored'), console.log);
      console.log(provider.flushSync());
    });
    await endThread(worker);
    await provider.close();`,
    file,
  );
  expect(stdout).toBe('true\nstored\n');
  expect(rowsOf(file).patches).toHaveLength(1);
});
