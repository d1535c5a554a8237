/** Operations that are asked for together: as many work as pay, the others wait for their turn, and none is lost. */
import { copyFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { backupDatabase, verifyDatabase } from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { freshFolder } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';
import { makeStoreFile } from '../support/store-files.ts';

const packagePath = JSON.stringify(join(import.meta.dirname, '../../dist/index.js'));

it('many backups and verifications at once take a few threads', async () => {
  const folder = freshFolder();
  makeStoreFile(join(folder, '0.db'));
  for (let i = 1; i < 40; i++) copyFileSync(join(folder, '0.db'), join(folder, `${i}.db`));
  const { stdout, stderr } = await runProgram(
    `const { backupDatabase, verifyDatabase } = await import(${packagePath});
let workers = 0;
process.on('worker', () => workers++);
const works = Array.from({ length: 40 }, (_, i) => [backupDatabase(i + '.db', i + '.saved'), verifyDatabase(i + '.db')]).flat();
await Promise.all(works);
console.log(workers);`.replaceAll("i + '", `${JSON.stringify(`${folder}/`)} + i + '`),
    'unused',
  );
  expect(stderr).toBe('');
  expect(Number(stdout)).toBeGreaterThan(0);
  expect(Number(stdout)).toBeLessThanOrEqual(3);
  expect(readdirSync(folder).filter((name) => name.endsWith('.saved'))).toHaveLength(40);
});

it('one that waits is given up by its signal, and no other', async () => {
  const folder = freshFolder();
  const source = makeStoreFile(join(folder, 'store.db'), { patches: 500, patchBytes: 2000 });
  const control = new AbortController();
  const reason = new Error('not any more');
  const works = Array.from({ length: 20 }, (_, i) =>
    backupDatabase(source, join(folder, `${i}.saved`), i === 15 ? { Signal: control.signal } : {}),
  );
  control.abort(reason);
  await expect(works[15]).rejects.toBe(reason);
  const outcomes = await Promise.allSettled(works);
  expect(outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))).toEqual([reason]);
  const saved = readdirSync(folder).filter((name) => name !== 'store.db');
  expect(saved).toHaveLength(19);
  expect(saved).not.toContain('15.saved');
});

it('verifications at once of one file are each whole', async () => {
  const folder = freshFolder();
  const source = makeStoreFile(join(folder, 'store.db'));
  const found = await Promise.all(Array.from({ length: 12 }, () => verifyDatabase(source)));
  expect(found.map(({ Sound, Checked }) => [Sound, Checked.Patches])).toEqual(found.map(() => [true, 60]));
});

it('where no other thread is to be had, those that are there do all of it', async () => {
  const folder = freshFolder();
  const source = makeStoreFile(join(folder, 'store.db'), { patches: 500, patchBytes: 2000 });
  const gone = freshFolder();
  const { stdout, stderr } = await runProgram(
    `import { rmdirSync } from 'node:fs';
const { backupDatabase } = await import(${packagePath});
process.chdir(${JSON.stringify(gone)});
const backup = (i, options) => backupDatabase(${JSON.stringify(source)}, ${JSON.stringify(folder)} + '/' + i + '.saved', options);
const works = [];
works.push(backup(0, { OnProgress() {
  if (works.length > 1) return;
  rmdirSync(${JSON.stringify(gone)}); // without its working directory a process can start no thread
  works.push(backup(1), backup(2));
} }));
await works[0];
const outcomes = await Promise.allSettled(works);
console.log(outcomes.map(({ status, reason }) => reason?.message ?? status).join());`,
    'unused',
  );
  expect({ stdout, stderr }).toEqual({ stdout: 'fulfilled,fulfilled,fulfilled\n', stderr: '' });
});

it('where there is no memory for another thread, one that is there does it; where none is, each is refused with the reason', async () => {
  const folder = freshFolder();
  const source = makeStoreFile(join(folder, 'store.db'));
  const { code, stdout, stderr } = await runProgram(
    `import { once } from 'node:events';
const { backupDatabase } = await import(${packagePath});
const ends = [];
process.on('worker', (thread) => ends.push(once(thread, 'exit')));
const { SharedArrayBuffer } = globalThis;
const without = (call) => {
  globalThis.SharedArrayBuffer = class {
    constructor() { throw new RangeError('Array buffer allocation failed'); }
  };
  const result = call();
  globalThis.SharedArrayBuffer = SharedArrayBuffer;
  return result;
};
const backup = (name) => backupDatabase(${JSON.stringify(source)}, ${JSON.stringify(folder)} + '/' + name)
  .then(() => 'done', ({ code, cause }) => code + ': ' + cause?.message);
const works = [backup('a')];
works.push(...without(() => [backup('b'), backup('c')]));
console.log((await Promise.all(works)).join());
await stayFor(Promise.all(ends)); // of threads that have nothing to do
console.log((await Promise.all(without(() => [backup('d'), backup('e')]))).join());`,
    'unused',
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const refused = 'worker-lost: Array buffer allocation failed';
  expect(stdout).toBe(`done,done,done\n${refused},${refused}\n`);
  expect(readdirSync(folder).sort()).toEqual(['a', 'b', 'c', 'store.db']);
});

it('one whose thread is lost at its work is not begun again in that of another', async () => {
  const folder = freshFolder();
  const source = makeStoreFile(join(folder, 'store.db'), { patches: 500, patchBytes: 2000 });
  const { stdout, stderr } = await runProgram(
    `const { backupDatabase } = await import(${packagePath});
const threads = [];
process.on('worker', (thread) => threads.push(thread));
const backup = (i, options) => backupDatabase(${JSON.stringify(source)}, ${JSON.stringify(folder)} + '/' + i + '.saved', options)
  .then(() => 'done', ({ code, message }) => code + message.slice(message.lastIndexOf(':')));
const works = [backup(0, { OnProgress() { void threads[0].terminate(); } }), backup(1)];
console.log((await Promise.all(works)).join());`,
    'unused',
  );
  const lost = 'worker-lost: its thread ended before the work was done; try again';
  expect({ stdout, stderr }).toEqual({ stdout: `${lost},done\n`, stderr: '' });
});

it('a thread that has had nothing to do for a while ends; what is asked for at that moment gets another one', async () => {
  const source = makeStoreFile(join(freshFolder(), 'store.db'));
  const { stdout, stderr } = await runProgram(
    `import { Worker } from 'node:worker_threads';
const { describeDatabase } = await import(${packagePath});
const threads = [];
process.on('worker', (thread) => threads.push(thread));
const describe = () => describeDatabase(${JSON.stringify(source)}).then(() => 'done', ({ message }) => message);
await describe();
const asked = new Promise((resolve) => {
  threads[0].terminate = function () {
    resolve(describe());
    return Worker.prototype.terminate.call(this);
  };
});
console.log(await stayFor(asked), threads.length);`,
    'unused',
  );
  expect({ stdout, stderr }).toEqual({ stdout: 'done 2\n', stderr: '' });
});

it('threads whose last word comes with their end: what waits gets another thread', async () => {
  const folder = freshFolder();
  const source = makeStoreFile(join(folder, 'store.db'));
  const preloaded = join(folder, 'preloaded.cjs');
  const answers = join(folder, 'answers');
  writeFileSync(answers, '');
  writeFileSync(
    preloaded,
    `const { isMainThread, MessagePort, threadId } = require('node:worker_threads');
const { postMessage } = MessagePort.prototype;
if (!isMainThread) MessagePort.prototype.postMessage = function (message, ...more) {
  postMessage.call(this, message, ...more);
  if (message.kind === 'end') require('node:fs').appendFileSync(${JSON.stringify(answers)}, threadId + ' ');
};`,
  );
  const { stdout, stderr } = await runProgram(
    `import { readFileSync } from 'node:fs';
const { describeDatabase } = await import(${packagePath});
const threads = [];
process.on('worker', (worker) => threads.push(worker));
const works = Array.from({ length: 8 }, () => describeDatabase(${JSON.stringify(source)}));
while (threads.length < 2) await new Promise(setImmediate);
const block = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
// until both have answered, which nobody hears yet
while (new Set(readFileSync(${JSON.stringify(answers)}, 'utf8').split(' ')).size < 3) block(5);
for (const thread of threads) void thread.terminate();
block(1000);
const outcomes = await Promise.allSettled(works);
console.log(outcomes.map(({ status }) => status).join(' '));
threads.splice(0);
await Promise.all(Array.from({ length: 8 }, () => describeDatabase(${JSON.stringify(source)})));
console.log(threads.length <= 3);`,
    'unused',
    { flags: ['--require', preloaded] },
  );
  expect({ stdout, stderr }).toEqual({ stdout: `${Array(8).fill('fulfilled').join(' ')}\ntrue\n`, stderr: '' });
});
