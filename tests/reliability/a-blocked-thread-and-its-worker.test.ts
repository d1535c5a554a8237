/** A thread that is blocked in a call sees its worker die, though it hears no event, and does not wait for ever. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Channel } from '../../src/main/channel/channel.ts';
import { PROGRESS } from '../../src/protocol/control.ts';
import { freshFile, freshFolder, rowsOf } from '../support/files.ts';
import { onceBlocked } from '../support/once-blocked.ts';
import { runProgram } from '../support/programs.ts';

/** Preloaded into each worker thread: ends it at its first INSERT, as a crash in native code would. */
const deadly = `
const { isMainThread } = require('node:worker_threads');
if (!isMainThread) {
  const { DatabaseSync } = require('node:sqlite');
  const { prepare } = DatabaseSync.prototype;
  DatabaseSync.prototype.prepare = function (sql) {
    if (sql.startsWith('INSERT')) process.exit(1);
    return prepare.call(this, sql);
  };
}`;

describe.runIf(process.platform === 'linux')('a thread that is blocked while worker after worker dies', () => {
  for (const [what, call] of Object.entries({
    'in flushSync, in the job that made the provider': 'console.log(provider.flushSync());',
    'in a call that is held since too much is pending': `for (let clock = 2; clock < 50_000; clock++) {
      provider.appendPatch(new Uint8Array(1000), clock).catch(() => {});
    }
    console.log(false);`,
  })) {
    it(`goes on, and the calls reject with worker-lost: ${what}`, async () => {
      const preload = join(freshFolder(), 'deadly.cjs');
      writeFileSync(preload, deadly);
      const ended = await runProgram(
        `const provider = new SDS_DesktopPersistenceProvider(file, 'store', { MaxPendingBytes: 1_000_000 });
        const first = provider.appendPatch(patchOf(1), 1);
        first.catch(() => {});
        ${call}
        console.log(await first.catch(({ code }) => code));`,
        freshFile(),
        { flags: ['--disable-warning=ExperimentalWarning', '--require', preload] },
      );
      expect(ended).toMatchObject({ code: 0, stdout: 'false\nworker-lost\n' });
    });
  }
});

/** Preloaded: the list of threads lacks those that live, as the system was seen to make it while others end. */
const cutLists = `
const fs = require('node:fs');
const { readdirSync } = fs;
fs.readdirSync = (path, ...rest) => (path === '/proc/self/task' ? [String(process.pid)] : readdirSync(path, ...rest));`;

describe.runIf(process.platform === 'linux')('a worker that lives, while this thread is blocked', () => {
  it('is not taken for one that has ended, whatever the list of threads lacks', async () => {
    const preload = join(freshFolder(), 'cut-lists.cjs');
    writeFileSync(preload, cutLists);
    const file = freshFile();
    const ended = await runProgram(
      `const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      for (let clock = 1; clock <= 400; clock++) void provider.appendPatch(new Uint8Array(200_000), clock);
      console.log(provider.flushSync(60_000), (await provider.statistics()).Worker.Restarts);
      await provider.close();`,
      file,
      { flags: ['--require', preload] },
    );
    expect(ended).toEqual({ code: 0, signal: null, stdout: 'true 0\n', stderr: '' });
    expect(rowsOf(file).patches).toHaveLength(400);
  });
});

/** Preloaded: the worker begins late, and the clock of the main thread can be put forward, as it is while a process is stopped. */
const lateWorker = `
const { isMainThread } = require('node:worker_threads');
if (isMainThread) {
  const clock = Object.getPrototypeOf(performance);
  const { now } = clock;
  globalThis.stoppedMs = 0;
  clock.now = function () {
    return now.call(this) + stoppedMs;
  };
} else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);`;

describe.runIf(process.platform === 'linux')('a worker that is seen to live, while this thread is blocked', () => {
  it('is not taken for lost, however late it begins', async () => {
    const preload = join(freshFolder(), 'late-worker.cjs');
    writeFileSync(preload, lateWorker);
    const ended = await runProgram(
      `const provider = new SDS_DesktopPersistenceProvider(file, 'store', { Acknowledge: 'committed' });
      const saved = provider.saveSnapshot(transfer(new Uint8Array(1_000_000)), 1).then(() => 'saved', ({ code }) => code);
      globalThis.stoppedMs = 31_000;
      console.log(provider.flushSync(60_000), await saved);
      await provider.close();`,
      freshFile(),
      { flags: ['--require', preload] },
    );
    expect(ended).toEqual({ code: 0, signal: null, stdout: 'true saved\n', stderr: '' });
  });
});

describe.runIf(process.platform === 'linux')('at the end of a process', () => {
  it('worker after worker dies: it is said what could not be carried out', async () => {
    const preload = join(freshFolder(), 'deadly.cjs');
    writeFileSync(preload, deadly);
    const file = freshFile();
    const { code, stderr } = await runProgram(
      `const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      void provider.appendPatch(patchOf(1), 1);
      process.exit();`,
      file,
      { flags: ['--disable-warning=ExperimentalWarning', '--require', preload] },
    );
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^\(SDS_PersistenceWarning\) .* as the process ends: appendPatch \('.*store\.db'\): worker threads ended again and again.*\n$/,
    );
  });
});

describe.runIf(process.platform === 'linux')('a worker that ends before its code runs, while this thread', () => {
  it.each([
    ['is blocked in flushSync', "console.log(provider.flushSync(120_000) ? 'committed' : 'not committed');"],
    ['ends the process', "console.log('committed'); process.exit();"],
  ])('%s: the next one carries all of it out', async (_, end) => {
    const file = freshFile();
    const ended = await runProgram(
      `import { once } from 'node:events';
      const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      const [worker] = await once(process, 'worker');
      void worker.terminate();
      for (let clock = 1; clock <= 100; clock++) void provider.appendPatch(patchOf(clock), clock);
      ${end}
      await provider.close();`,
      file,
    );
    expect(ended).toEqual({ code: 0, signal: null, stdout: 'committed\n', stderr: '' });
    expect(rowsOf(file).patches).toHaveLength(100);
  });
});

describe('a thread that is blocked by several workers', () => {
  it('looks at others while one of them gets on all the time', () => {
    const channel = new Channel();
    const control = new Int32Array(channel.sharedWith(new SharedArrayBuffer(8)).control);
    const begunAt = performance.now();
    const isDone = () => {
      Atomics.add(control, PROGRESS, 1);
      return performance.now() > begunAt + 20_000;
    };
    const waiting = channel.waiting(
      isDone,
      () => false,
      () => undefined,
      10_000,
      Number.POSITIVE_INFINITY,
    );
    expect(waiting.next()).toEqual({ done: false, value: undefined });
  });

  it('gives none up that stays at one piece of work, however long others are waited for after the first look', () => {
    const waiting = waitingFor(() => 1);
    expect(waiting.next().done).toBe(false);
    const other = waitingFor(() => 2);
    for (let waitedMs = 0; waitedMs < 200; waitedMs += 50) other.next();
    expect(waiting.next().done).toBe(false);
  });

  it.each([
    ['none up that gets on, however slowly', false],
    ['one up of which one call after the other has waited in vain', true],
  ])('gives %s', (_, isInVain) => {
    const channel = new Channel();
    const control = new Int32Array(channel.sharedWith(new SharedArrayBuffer(8)).control);
    let looks = 0;
    const isDone = () => {
      if (++looks % 2 === 0) Atomics.add(control, PROGRESS, 1);
      return looks > 20;
    };
    const waiting = channel.waiting(
      isDone,
      () => isInVain,
      () => undefined,
      100,
      Number.POSITIVE_INFINITY,
    );
    let end = waiting.next();
    while (!end.done) end = waiting.next();
    expect(end.value).toBe(!isInVain);
  });

  it('gives one up that is at another piece of work at each look, and has finished none', () => {
    let work = 0;
    const waiting = waitingFor(() => work++);
    expect(waiting.next().done).toBe(false);
    expect(waiting.next().done).toBe(false);
    expect(waiting.next()).toEqual({ done: true, value: false });
  });

  it('gives none up for the time for which it was stopped, at whatever moment', () => {
    onceBlocked(() => stop(200));
    const waiting = waitingFor(() => undefined);
    expect(waiting.next().done).toBe(false);
    stop(200);
    expect(waiting.next().done).toBe(false);
    expect(waiting.next().done).toBe(true); // all the same
  });

  it('nor is what it was stopped for in a wait a part of the time that it may take in all', () => {
    onceBlocked(() => stop(1500));
    const waiting = waitingFor(() => undefined, Number.POSITIVE_INFINITY, 1500);
    expect(waiting.next().done).toBe(false);
    expect(waiting.next().done).toBe(false);
  });
});

function stop(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** A worker that does not get on, and is waited for so long as two looks at it take, if not said otherwise. */
function waitingFor(
  work: () => number | undefined,
  patienceMs = 100,
  totalMs = Number.POSITIVE_INFINITY,
): Generator<void, boolean, void> {
  return new Channel().waiting(
    () => false,
    () => false,
    work,
    patienceMs,
    totalMs,
  );
}
