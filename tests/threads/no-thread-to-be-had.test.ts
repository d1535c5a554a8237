/**
 * Where no other worker thread can be started, those that run serve all files. A removed working folder is one of the
 * reasons why Node can't start any; limits of a container and the like are for `torture/one-victim.ts`.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freshFile, freshFolder, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

const FILES = ['a', 'b', 'c', 'd'];

/** The working folder is there until `removeFolder()`; threads are counted. */
const beginning = `
  import { mkdirSync, rmdirSync } from 'node:fs';
  import { join } from 'node:path';
  process.env.SDS_PERSISTENCE_WORKERS = '3';
  const workers = new Set();
  process.on('worker', (worker) => {
    workers.add(worker);
    worker.once('exit', () => workers.delete(worker));
  });
  const folder = join(file, 'release-1');
  mkdirSync(folder);
  process.chdir(folder);
  const removeFolder = () => rmdirSync(folder);
  const open = (name) => new SDS_DesktopPersistenceProvider(join(file, name + '.db'), 'store');
`;

/** A call is what asks for a thread again. */
const untilServed = `
  const untilServed = async (provider) => {
    while (!(await provider.appendPatch(patchOf(1000), 1000).then(() => true, () => false))) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
`;

describe.skipIf(process.platform === 'win32')('where no thread can be started', () => {
  it('the one that runs serves files that are opened later: writes, large ones, loads, in their order', async () => {
    const folder = freshFolder();
    const { code, stdout, stderr } = await runProgram(
      `${beginning}
      const a = open('a');
      await a.appendPatch(patchOf(1), 1);
      removeFolder();
      const found = {};
      const all = { a, b: open('b'), c: open('c'), d: open('d') };
      for (const [name, provider] of Object.entries(all)) {
        for (let clock = 2; clock <= 200; clock++) provider.appendPatch(patchOf(clock), clock).catch(console.error);
        provider.saveSnapshot(new Uint8Array(400_000).fill(7), 100).catch(console.error);
        provider.prunePatches(101).catch(console.error);
        const [snapshot, patches] = await Promise.all([provider.loadSnapshot(), provider.loadPatchesSince(0)]);
        provider.appendPatch(patchOf(201), 201).catch(console.error);
        const inTime = provider.flushSync(120_000);
        found[name] = [snapshot.length, patches.length, inTime];
      }
      console.log(JSON.stringify({ found, workers: workers.size }));
      await Promise.all(Object.values(all).map((provider) => provider.close()));`,
      folder,
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const each = [400_000, 100, true];
    expect(JSON.parse(stdout)).toEqual({ found: { a: each, b: each, c: each, d: each }, workers: 1 });
    for (const name of FILES) expect(rowsOf(`${folder}/${name}.db`).patches).toHaveLength(101);
  });

  it('what was called before the process ends is committed, whichever thread serves its file', async () => {
    const folder = freshFolder();
    const { code, stderr } = await runProgram(
      `${beginning}
      const a = open('a');
      await a.ready();
      removeFolder();
      const all = [a, open('b'), open('c'), open('d')];
      await Promise.all(all.slice(1).map((provider) => provider.ready()));
      for (const provider of all) {
        for (let clock = 1; clock <= 1000; clock++) provider.appendPatch(patchOf(clock), clock);
        provider.saveSnapshot(new Uint8Array(1_000_000), 5);
      }
      process.exit();`,
      folder,
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const name of FILES) expect(rowsOf(`${folder}/${name}.db`).patches).toHaveLength(1000);
  });

  it('files of a thread that is lost go on with another one, and nothing that was called is', async () => {
    const folder = freshFolder();
    const { code, stdout, stderr } = await runProgram(
      `${beginning}
      const all = [open('a'), open('b'), open('c')];
      await Promise.all(all.map((provider) => provider.ready()));
      removeFolder();
      const [, second, third] = workers;
      const outcomes = [];
      let clock = 0;
      const append = (times) => {
        for (let i = 0; i < times; i++) {
          clock++;
          for (const provider of all) outcomes.push(provider.appendPatch(patchOf(clock), clock));
        }
      };
      append(500);
      await endThread(second);
      append(500);
      await Promise.all(all.map((provider) => provider.flush()));
      await endThread(third);
      append(500);
      const failed = (await Promise.allSettled(outcomes)).filter(({ status }) => status === 'rejected');
      console.log(JSON.stringify({ failed: failed.length, workers: workers.size }));
      await Promise.all(all.map((provider) => provider.close()));`,
      folder,
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({ failed: 0, workers: 1 });
    for (const name of ['a', 'b', 'c']) {
      const { patches } = rowsOf(`${folder}/${name}.db`);
      expect(patches).toHaveLength(1500);
      expect(patches.at(-1)).toMatchObject({ clock: 1500 });
    }
  });

  it('a thread that serves files of another worker stays for them, though its own are closed', async () => {
    const { code, stdout, stderr } = await runProgram(
      `import { once } from 'node:events';
      ${beginning}
      const [a, b, c] = [open('a'), open('b'), open('c')];
      await Promise.all([a, b, c].map((provider) => provider.ready()));
      removeFolder();
      const [, second, third] = workers;
      await endThread(second);
      await b.appendPatch(patchOf(1), 1);
      await a.close();
      await c.close();
      await stayFor(once(third, 'exit')); // that of the first would have ended before
      await b.appendPatch(patchOf(2), 2);
      console.log(workers.size);
      await b.close();`,
      freshFolder(),
    );
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '1\n', stderr: '' });
  });

  it('checkpoints of a file are counted with the worker that serves it, although another one lends the thread', async () => {
    const { code, stdout, stderr } = await runProgram(
      `${beginning}
      const a = open('a');
      await a.appendPatch(patchOf(1), 1);
      removeFolder();
      const b = open('b');
      const countOf = (provider) => provider.statistics().Worker.Checkpoints;
      await b.saveSnapshot(new Uint8Array(4_000_000), 1);
      while (countOf(a) + countOf(b) === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      console.log(countOf(a), countOf(b) > 0);
      await Promise.all([a.close(), b.close()]);`,
      freshFolder(),
    );
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '0 true\n', stderr: '' });
  });

  it('a thread that has served others besides ends all the same, once none has a file', async () => {
    const { code, stdout, stderr } = await runProgram(
      `${beginning}
      import { once } from 'node:events';
      const a = open('a');
      await a.ready();
      removeFolder();
      const b = open('b');
      await b.appendPatch(patchOf(1), 1);
      const [worker] = workers;
      const ended = stayFor(once(worker, 'exit'));
      await b.close();
      await a.appendPatch(patchOf(1), 1);
      await a.close();
      await ended;
      process.chdir(file);
      const again = open('b');
      console.log((await again.loadPatchesSince(0)).length);
      await again.close();`,
      freshFolder(),
    );
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '1\n', stderr: '' });
  });

  it.each([
    ['has none of its own', 'b'],
    ['serves others by its own', 'a'],
  ])(
    'a file that is opened once there are threads again gets one, although a worker that %s is free',
    async (_, free) => {
      const { code, stdout, stderr } = await runProgram(
        `${beginning}
      const [a, b] = [open('a'), open('b')];
      await Promise.all([a.ready(), b.ready()]);
      removeFolder();
      const [, second] = workers;
      await endThread(second);
      await b.appendPatch(patchOf(1), 1);
      const before = workers.size;
      await ${free}.close();
      process.chdir(file);
      const c = open('c');
      await c.ready();
      console.log(before, workers.size);
      await Promise.all([a.close(), b.close(), c.close()]);`,
        freshFolder(),
      );
      expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '1 2\n', stderr: '' });
    },
  );

  it('and there is one for files only, a PostgreSQL database is told that it has none, and the files go on', async () => {
    const { code, stdout, stderr } = await runProgram(
      `${beginning}
      const a = open('a');
      await a.ready();
      removeFolder();
      const onServer = new SDS_DesktopPersistenceProvider('postgres://me@127.0.0.1:1/notes', 'store', { RetryForMs: 0 });
      const why = await onServer.appendPatch(patchOf(1), 1).catch(({ code, cause }) => code + ', ' + cause?.code);
      await a.appendPatch(patchOf(1), 1);
      console.log(why);
      await Promise.all([a.close(), onServer.close()]);`,
      freshFolder(),
    );
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'worker-lost, ENOENT\n', stderr: '' });
  });

  it('and there is no memory for what it would share, files go to one that runs', async () => {
    const folder = freshFolder();
    const { code, stdout, stderr } = await runProgram(
      `${beginning}
      const a = open('a');
      await a.ready();
      const { SharedArrayBuffer: Real } = globalThis;
      globalThis.SharedArrayBuffer = class extends Real {
        constructor(length) {
          if (length > 1_000_000) throw new RangeError('Array buffer allocation failed');
          super(length);
        }
      };
      const all = [a, open('b'), open('c')];
      await Promise.all(all.map((provider) => provider.appendPatch(patchOf(1), 1)));
      console.log(workers.size);
      await Promise.all(all.map((provider) => provider.close()));`,
      folder,
    );
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '1\n', stderr: '' });
  });

  it('and there is none at all, calls reject with an error that names the cause, and a relative path leads nowhere', async () => {
    const { code, stdout, stderr } = await runProgram(
      `${beginning}
      removeFolder();
      const why = (error) => [error instanceof SDS_PersistenceError, error.code, error.cause?.code ?? error.cause?.message, error.message];
      const a = open('a');
      const told = [a.appendPatch(patchOf(1), 1), a.ready(), a.loadSnapshot(), a.flush()];
      const found = await Promise.all(told.map((call) => call.then(() => 'done', why)));
      a.appendPatch(patchOf(1), 1).catch(() => {});
      const flushed = a.flushSync();
      await a.close();
      let relative;
      try {
        new SDS_DesktopPersistenceProvider('./notes.db', 'store');
      } catch (error) {
        relative = why(error);
      }
      process.chdir(file);
      const later = open('a');
      await later.appendPatch(patchOf(1), 1);
      await later.close();
      console.log(JSON.stringify({ found, flushed, relative }));`,
      freshFolder(),
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { found, flushed, relative } = JSON.parse(stdout) as {
      found: [boolean, string, string, string][];
      flushed: boolean;
      relative: [boolean, string, string, string];
    };
    expect(flushed).toBe(false);
    expect(found).toHaveLength(4);
    for (const [ours, errorCode, cause, message] of found) {
      expect([ours, errorCode, cause]).toEqual([true, 'worker-lost', 'ENOENT']);
      expect(message).toMatch(/no worker thread.*cwd/);
    }
    expect(relative.slice(0, 3)).toEqual([true, 'open-failed', 'ENOENT']);
  });

  it('and there is none for a moment, the same providers serve again, in order; those that are closed meanwhile are closed', async () => {
    const folder = freshFolder();
    const { code, stdout, stderr } = await runProgram(
      `${beginning}
      process.env.SDS_PERSISTENCE_WORKERS = '1';
      ${untilServed}
      const codeOf = (call) => call.then(() => 'done', ({ code }) => code);
      const [a, a2, b, c] = [open('a'), open('a'), open('b'), open('c')];
      await Promise.all([a, a2, b, c].map((provider, i) => provider.appendPatch(patchOf(1 + i), 1 + i)));
      removeFolder();
      const [worker] = workers;
      const lost = endThread(worker);
      a.saveSnapshot(patchOf(9), 9); // acknowledged as it is queued
      const pending = [a.appendPatch(patchOf(10), 10), a2.loadSnapshot(), c.close()].map(codeOf);
      await lost;
      const told = await Promise.all(pending);
      told.push(await codeOf(b.close()), await codeOf(a.flush()), await codeOf(a.flush()));
      process.chdir(file);
      await untilServed(a);
      const calls = [a.appendPatch(patchOf(11), 11), a2.appendPatch(patchOf(12), 12), a.saveSnapshot(patchOf(5), 5)];
      const [patches, snapshot] = await Promise.all([a2.loadPatchesSince(9), a2.loadSnapshot(), ...calls]);
      const later = open('c');
      await later.appendPatch(patchOf(13), 13);
      console.log(JSON.stringify({ told, patches: patches.length, snapshot: snapshot.length, workers: workers.size }));
      await Promise.all([a, a2, later].map((provider) => provider.close()));`,
      folder,
    );
    expect(stderr).toMatch(
      /^\(.*SDS_WRITE_FAILED\] SDS_PersistenceWarning: .*saveSnapshot .*none could be started.*\n.*\n$/,
    );
    expect(code).toBe(0);
    const told = ['worker-lost', 'worker-lost', 'done', 'done', 'worker-lost', 'done'];
    expect(JSON.parse(stdout)).toEqual({ told, patches: 3, snapshot: 7, workers: 1 });
    expect(rowsOf(`${folder}/a.db`).patches.map(({ clock }) => clock)).toEqual([1, 2, 11, 12, 1000]);
    expect(rowsOf(`${folder}/c.db`).patches.map(({ clock }) => clock)).toEqual([4, 13]);
  });

  it('and there is none any more, each patch is refused by one promise, also one that had found its batch being carried out', async () => {
    const { code, stdout, stderr } = await runProgram(
      `${beginning}
      import { subscribe } from 'node:diagnostics_channel';
      import { setImmediate } from 'node:timers/promises';
      const both = [open('a'), open('a')]; // whose patches, in turn, have a promise each
      await Promise.all(both.map((provider) => provider.ready()));
      removeFolder();
      lockFile(join(file, 'a.db'));
      let begun = 0;
      subscribe('tracing:sds-persistence:commit:start', () => begun++);
      const told = [];
      for (let clock = 1; begun < 2; clock++) {
        told.push(both[clock % 2].appendPatch(patchOf(clock), clock).then(() => 'stored', ({ code }) => code));
        await setImmediate();
      }
      const [worker] = workers;
      await endThread(worker);
      console.log([...new Set(await Promise.all(told))].join());
      await Promise.all(both.map((provider) => provider.close()));`,
      freshFolder(),
    );
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'worker-lost\n', stderr: '' });
  });

  it('as the first provider is made, it serves as soon as there is room, and memory is memory', async () => {
    const { code, stdout, stderr } = await runProgram(
      `${beginning}
      ${untilServed}
      removeFolder();
      const memory = new SDS_DesktopPersistenceProvider(':memory:', 'store');
      const a = open('a');
      const ready = await a.ready().then(() => 'open', ({ code }) => code);
      const { status } = a;
      process.chdir(file);
      await untilServed(a);
      await untilServed(memory);
      await a.ready();
      console.log(ready, status, a.status, (await a.loadPatchesSince(0)).length, (await memory.loadPatchesSince(0)).length);
      await Promise.all([a.close(), memory.close()]);`,
      freshFolder(),
    );
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'worker-lost opening open 1 1\n', stderr: '' });
  });

  it('or each dies as it begins, calls that are refused start at most one a second', async () => {
    const folder = freshFolder();
    const [preload, deadly] = [join(folder, 'deadly.cjs'), join(folder, 'deadly')];
    writeFileSync(deadly, '');
    // by itself: ended by the program, one might have served before that
    writeFileSync(
      preload,
      `if (!require('node:worker_threads').isMainThread && require('node:fs').existsSync(${JSON.stringify(deadly)})) process.exit(1);`,
    );
    const { code, stdout, stderr } = await runProgram(
      `import { rmSync } from 'node:fs';
      import { performance } from 'node:perf_hooks';
      ${untilServed}
      let started = 0;
      process.on('worker', () => started++);
      const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      const begun = performance.now();
      const isRefused = () => provider.appendPatch(patchOf(1), 1).then(() => false, ({ code }) => code === 'worker-lost');
      let refused = await isRefused() ? 1 : 0;
      const first = started;
      for (let i = 0; i < 2000; i++) if (await isRefused()) refused++;
      const isSeldom = started - first <= (performance.now() - begun) / 1000;
      rmSync(${JSON.stringify(deadly)});
      await untilServed(provider);
      console.log(refused, first, isSeldom);
      await provider.close();`,
      freshFile(),
      { flags: ['--require', preload] },
    );
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '2001 5 true\n', stderr: '' });
  });
});
