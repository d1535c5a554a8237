/** Operations that are stopped, or whose process was killed: nothing half-done is found under the final name. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  backupDatabase,
  compactDatabase,
  copyStores,
  restoreDatabase,
  type SDS_OperationProgress,
  verifyDatabase,
} from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { verify } from '../../src/worker/operations/files/verify.ts';
import { Progress } from '../../src/worker/operations/progress.ts';
import { Throttle } from '../../src/worker/operations/throttle.ts';
import { filesBeside, freshFile, freshFolder } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';
import { bytesBeside, makeStoreFile } from '../support/store-files.ts';

const large = { patches: 1500, patchBytes: 8000 };

const works: [string, (dbPath: string, target: string, options: object) => Promise<unknown>][] = [
  ['backup', (dbPath, target, options) => backupDatabase(dbPath, target, options)],
  ['restore', (dbPath, target, options) => restoreDatabase(dbPath, target, options)],
  ['copy', (dbPath, target, options) => copyStores(dbPath, target, options)],
  ['verify', (dbPath, _, options) => verifyDatabase(dbPath, options)],
  ['compact', (dbPath, _, options) => compactDatabase(dbPath, options)],
];

it.each(works)('%s rejects with the reason of the signal, and leaves nothing', async (_, work) => {
  const dbPath = makeStoreFile(freshFile(), large);
  const target = join(freshFolder(), 'target.db');
  const before = bytesBeside(dbPath);
  const control = new AbortController();
  const reason = new Error('enough');
  const stopped = work(dbPath, target, { Signal: control.signal, OnProgress: () => control.abort(reason) });
  await expect(stopped).rejects.toBe(reason);
  expect(filesBeside(target)).toEqual([]);
  expect(bytesBeside(dbPath)).toEqual(before);
  const late = work(dbPath, target, { Signal: control.signal });
  await expect(late).rejects.toBe(reason);
});

it('a copy tells of itself, and may be stopped, while it counts what is in each store', async () => {
  const dbPath = makeStoreFile(freshFile());
  const target = join(freshFolder(), 'target.db');
  const reason = new Error('enough');
  const told: SDS_OperationProgress[] = [];
  const stopped = copyStores(dbPath, target, {
    Values: false,
    OnProgress(progress) {
      told.push(progress);
      throw reason;
    },
  });
  await expect(stopped).rejects.toBe(reason);
  expect(told).toEqual([expect.objectContaining({ Phase: 'copy', Done: 0, Total: 0, StoresInAll: 0 })]);
  expect(filesBeside(target)).toEqual([]);
});

it('a store without a name, as no provider writes one, keeps no other from being copied', async () => {
  const dbPath = makeStoreFile(freshFile(), { sql: "INSERT INTO snapshots VALUES (NULL, x'01', 1)" });
  const target = join(freshFolder(), 'target.db');
  await expect(copyStores(dbPath, target)).rejects.toMatchObject({
    code: 'database-corrupt',
    message: expect.stringContaining('has rows that no provider writes'),
  });
  expect(await copyStores(dbPath, target, { Stores: ['notes'] })).toMatchObject({ Stores: 1, Patches: 30 });
});

it.each(works)('%s rejects with what OnProgress throws', async (_, work) => {
  const dbPath = makeStoreFile(freshFile(), large);
  const target = join(freshFolder(), 'target.db');
  const thrown = new Error('from the callback');
  const failed = work(dbPath, target, {
    OnProgress() {
      throw thrown;
    },
  });
  await expect(failed).rejects.toBe(thrown);
  expect(filesBeside(target)).toEqual([]);
});

it('verify can be stopped after each 20,000 rows, also of one store', async () => {
  const numbers = 'WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 100000)';
  const sql = `${numbers} INSERT INTO patches SELECT 'long', i, x'00' FROM n WHERE i <> 70000`;
  const dbPath = makeStoreFile(freshFile(), { sql });
  const steps: number[] = [];
  class Noted extends Progress {
    override step(...[phase, done, ...more]: Parameters<Progress['step']>): void {
      if (phase === 'rows') steps.push(done);
      super.step(phase, done, ...more);
    }
  }
  const cell = () => new SharedArrayBuffer(4);
  const { Findings } = await verify({ path: dbPath }, new Noted(cell(), new Throttle(cell()), () => {}));
  expect(Findings).toMatchObject([{ Code: 'patch-gap', Count: 1, Message: expect.stringContaining('69999') }]);
  // each table is counted anew
  const sizes = steps
    .map((done, i) => done - (steps[i - 1] ?? 0))
    .map((size, i) => (size < 0 ? (steps[i] ?? 0) : size));
  expect(Math.max(...sizes)).toBeLessThanOrEqual(20_000);
});

it('one that is stopped when all of it is copied: nothing appears', async () => {
  const dbPath = makeStoreFile(freshFile(), large);
  const target = join(freshFolder(), 'target.db');
  const reason = new Error('not even now');
  for (const work of [backupDatabase, restoreDatabase]) {
    const control = new AbortController();
    const stopped = work(dbPath, target, {
      Signal: control.signal,
      OnProgress({ Phase, Done, Total }) {
        if (Phase === 'copy' && Done === Total) control.abort(reason);
      },
    });
    await expect(stopped).rejects.toBe(reason);
    expect(filesBeside(target)).toEqual([]);
  }
});

it('of one that is stopped nothing more is told; what is thrown too late to stop it is what it rejects with', async () => {
  const dbPath = makeStoreFile(freshFile());
  const folder = freshFolder();
  const preloaded = join(folder, 'preloaded.cjs');
  const ready = join(folder, 'ready');
  writeFileSync(
    preloaded,
    `const { isMainThread, MessagePort } = require('node:worker_threads');
const { postMessage } = MessagePort.prototype;
if (!isMainThread) MessagePort.prototype.postMessage = function (message, ...more) {
  postMessage.call(this, message, ...more);
  if (message.kind === 'ready') require('node:fs').writeFileSync(${JSON.stringify(ready)}, '');
};`,
  );
  const { code, stdout, stderr } = await runProgram(
    `import { existsSync } from 'node:fs';
const { backupDatabase } = await import(${JSON.stringify(join(import.meta.dirname, '../../dist/index.js'))});
const cell = new Int32Array(new SharedArrayBuffer(4));
const blockUntil = (path) => { while (!existsSync(path)) Atomics.wait(cell, 0, 0, 5); };
const copies = ['a', 'b'].map((name) => ${JSON.stringify(`${folder}/`)} + name);
const outcome = (copy, options) => backupDatabase(file, copy, options).then(() => 'done', (reason) => reason);
const control = new AbortController();
let told = 0;
const stopped = await outcome(copies[0], { Signal: control.signal, OnProgress() {
  told++;
  blockUntil(${JSON.stringify(ready)}); // all other progress has been sent
  control.abort('stopped');
} });
let times = 0;
const late = await outcome(copies[1], { OnProgress() {
  if (++times === 1) return blockUntil(copies[1]); // nobody is waited for that long
  throw 'late';
} });
console.log(stopped, told, existsSync(copies[0]), late, times, existsSync(copies[1]));`,
    dbPath,
    { flags: ['--require', preloaded] },
  );
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'stopped 1 false late 2 true\n', stderr: '' });
});

it('a process that ends in the middle of a backup does so at once; what it leaves, the next backup removes', async () => {
  const dbPath = makeStoreFile(freshFile(), large);
  const target = join(freshFolder(), 'target.db');
  const { code, signal, stderr } = await runProgram(
    `const { backupDatabase } = await import(${JSON.stringify(join(import.meta.dirname, '../../dist/index.js'))});
await backupDatabase(file, ${JSON.stringify(target)}, { OnProgress: () => process.exit(3) });`,
    dbPath,
  );
  expect({ code, signal, stderr }).toEqual({ code: 3, signal: null, stderr: '' });
  expect(filesBeside(target).filter((name) => !name.startsWith('sds-partial-'))).toEqual([]);
  await backupDatabase(dbPath, target);
  expect(filesBeside(target)).toEqual(['target.db']);
});

it('a process that has begun an operation and waits for nothing else ends when it is done', async () => {
  const dbPath = makeStoreFile(freshFile(), large);
  const { code, stdout } = await runProgram(
    `const { verifyDatabase } = await import(${JSON.stringify(join(import.meta.dirname, '../../dist/index.js'))});
verifyDatabase(file).then(({ Sound }) => console.log(Sound));`,
    dbPath,
  );
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'true\n' });
});

it('a thread that is lost while it has nothing to do is missed by nobody', async () => {
  const preloaded = join(freshFolder(), 'preloaded.cjs');
  writeFileSync(
    preloaded,
    `if (!require('node:worker_threads').isMainThread) {
  new BroadcastChannel('fail').onmessage = () => { throw new Error('of a preloaded file'); };
}`,
  );
  const { code, stdout, stderr } = await runProgram(
    `const { verifyDatabase } = await import(${JSON.stringify(join(import.meta.dirname, '../../dist/index.js'))});
const exited = new Promise((resolve) => process.once('worker', (worker) => worker.once('exit', resolve)));
const channel = new BroadcastChannel('fail');
await verifyDatabase(file);
channel.postMessage('now');
await exited;
channel.close();
console.log((await verifyDatabase(file)).Sound);`,
    makeStoreFile(freshFile()),
    { flags: ['--require', preloaded] },
  );
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'true\n', stderr: '' });
});
