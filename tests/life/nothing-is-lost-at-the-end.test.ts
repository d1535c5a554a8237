/** However a program ends, short of being killed: what was called before is in the file. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesBeside, freshFile, freshFolder, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

/** Preloaded into each worker thread: its checkpoints take two seconds, as on a slow disk. */
const slowCheckpoints = `
const { isMainThread } = require('node:worker_threads');
if (!isMainThread) {
  const { DatabaseSync } = require('node:sqlite');
  const { prepare } = DatabaseSync.prototype;
  DatabaseSync.prototype.prepare = function (sql) {
    if (sql.includes('wal_checkpoint')) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000);
    return prepare.call(this, sql);
  };
}`;

/** Preloaded into the main thread: whenever it waits in vain, it gets a core again a second later. */
const lateThread = `
const { isMainThread } = require('node:worker_threads');
const { wait } = Atomics;
if (isMainThread) {
  Atomics.wait = (...given) => {
    const woken = wait(...given);
    if (woken === 'timed-out') wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 950);
    return woken;
  };
}`;

/** Preloaded as well: a worker stays at its first patches until the file `gate` is there, and says so if it never comes. */
const heldPatches = (gate: string) => `
const { isMainThread } = require('node:worker_threads');
if (!isMainThread) {
  const { existsSync, writeSync } = require('node:fs');
  const { DatabaseSync } = require('node:sqlite');
  const { prepare } = DatabaseSync.prototype;
  DatabaseSync.prototype.prepare = function (sql) {
    const pause = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    let left = sql.includes('INTO patches') ? 6000 : 0;
    while (left > 0 && !existsSync(${JSON.stringify(gate)})) if (pause() && --left === 0) writeSync(1, 'never\\n');
    return prepare.call(this, sql);
  };
}`;

const burst = `
const provider = new SDS_DesktopPersistenceProvider(file, 'store');
for (let clock = 1; clock <= 5000; clock++) provider.appendPatch(patchOf(clock), clock).catch(() => {});
provider.saveValue('hash', new Uint8Array(300_000).fill(7)).catch(() => {});
`;

/** What all copies of this package in a process have in common: one that fails, in whatever it is called for, comes first. */
const failingCopy = `
const guards = process[Symbol.for('sds-persistence-worker.exit-guards')];
const fail = () => { throw new Error('of another copy') };
const [own] = guards;
guards.clear();
guards.add({ beforeExit: fail, drain: fail, uncaught: fail, exit: fail }).add(own);
`;

function expectAll(file: string, patches = 5000): void {
  const rows = rowsOf(file);
  expect(rows.patches).toHaveLength(patches);
  expect(rows.blobs).toHaveLength(1);
}

describe('nothing is lost when a program ends', () => {
  it('by itself, without close(): it is neither kept alive nor ended too early', async () => {
    const file = freshFile();
    const ended = await runProgram(burst, file);
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(filesBeside(file)).toEqual(['store.db']);
    expectAll(file);
  });

  it('by itself, after top-level await of a call', async () => {
    const file = freshFile();
    const ended = await runProgram(
      `${burst} await provider.flush(); console.log((await provider.loadPatchesSince(0)).length)`,
      file,
    );
    expect(ended).toMatchObject({ code: 0, stdout: '5000\n', stderr: '' });
  });

  it('by itself, after an await of a call that was committed by then', async () => {
    const file = freshFile();
    const ended = await runProgram(
      `const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      const patch = provider.appendPatch(patchOf(1), 1);
      provider.flushSync();
      await patch;
      setTimeout(() => process.exit(7), 120_000).unref(); // only if something else keeps the process alive`,
      file,
    );
    expect(ended).toMatchObject({ code: 0, stderr: '' });
  });

  it('by itself, but not before a database that is waited for is open, whatever is committed meanwhile', async () => {
    const ended = await runProgram(
      `import { DatabaseSync } from 'node:sqlite';
      const other = new SDS_DesktopPersistenceProvider(file + ' 2', 'store');
      await other.ready();
      const holder = new DatabaseSync(file);
      holder.exec('BEGIN EXCLUSIVE');
      const provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 500 });
      void other.appendPatch(patchOf(1), 1);
      console.log(await provider.ready().catch(({ code }) => code));`,
      freshFile(),
      { env: { SDS_PERSISTENCE_WORKERS: '1' } },
    );
    expect(ended).toEqual({ code: 0, signal: null, stdout: 'database-busy\n', stderr: '' });
  });

  it('by itself, while its worker is busy: a call that nobody waits for does not keep it from having nothing left to do', async () => {
    const [file, folder] = [freshFile(), freshFolder()];
    const [gate, preload] = [join(folder, 'gate'), join(folder, 'held-patches.cjs')];
    writeFileSync(preload, heldPatches(gate));
    const ended = await runProgram(
      `import { writeFileSync } from 'node:fs';
      process.once('beforeExit', () => writeFileSync(${JSON.stringify(gate)}, ''));
      const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      void provider.appendPatch(patchOf(1), 1);`,
      file,
      { flags: ['--require', preload] },
    );
    expect(ended).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(rowsOf(file).patches).toHaveLength(1);
  });

  it('by process.exit(), in the same tick, before the worker is up', async () => {
    const file = freshFile();
    const ended = await runProgram(`${burst} process.exit(3)`, file);
    expect(ended).toMatchObject({ code: 3, stderr: '' });
    expectAll(file);
  });

  it('by process.exit() while the worker is busy with earlier calls', async () => {
    const file = freshFile();
    const ended = await runProgram(
      `${burst} await provider.ready();
      for (let clock = 5001; clock <= 60_000; clock++) provider.appendPatch(patchOf(clock), clock);
      setImmediate(() => process.exit(0))`,
      file,
    );
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expectAll(file, 60_000);
  });

  it.each([
    ['a patch', 'appendPatch(patchOf(1), 1)'],
    ['a record', "saveRecord('key', patchOf(1))"],
    ['large bytes', "saveRecord('key', new Uint8Array(300_000))"],
  ])('by process.exit(), but what fails is named on stderr: %s', async (_, call) => {
    const ended = await runProgram(
      `const provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 50 });
      await provider.ready();
      const holder = lockFile(file);
      provider.${call}.catch(() => console.log('heard'));
      process.exit(holder.isTransaction ? 0 : 1);`,
      freshFile(),
      { flags: ['--disable-warning=ExperimentalWarning'] },
    );
    const [name] = call.split('(');
    expect(ended).toMatchObject({
      code: 0,
      stdout: '',
      stderr: expect.stringMatching(`as the process ends: ${name}.*locked`),
    });
  });

  it('by process.exit(), also after the end of a worker whose file, kept in memory, is closed later', async () => {
    const file = freshFile();
    const ended = await runProgram(
      `const threads = [];
      process.on('worker', (thread) => threads.push(thread));
      const inMemory = new SDS_DesktopPersistenceProvider(':memory:', 'store');
      await inMemory.appendPatch(patchOf(1), 1);
      const provider = new SDS_DesktopPersistenceProvider(file, 'store'); // with another worker
      await provider.ready();
      const beside = new SDS_DesktopPersistenceProvider(file + '.beside', 'store');
      await beside.ready();
      await endThread(threads[0]);
      await beside.appendPatch(patchOf(1), 1);
      const ended = stayFor(new Promise((resolve) => threads.at(-1).once('exit', resolve)));
      await beside.close();
      await ended; // nobody needed it any more
      await inMemory.close().catch(() => {});
      for (let clock = 1; clock <= 5000; clock++) provider.appendPatch(patchOf(clock), clock);
      process.exit(0);`,
      file,
      { env: { SDS_PERSISTENCE_WORKERS: '2' } },
    );
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(rowsOf(file).patches).toHaveLength(5000);
  });

  it('by process.exit() with many files open', async () => {
    const file = freshFile();
    const ended = await runProgram(
      `for (let i = 0; i < 40; i++) new SDS_DesktopPersistenceProvider(file + i, 'store').appendPatch(patchOf(i), 1);
      process.exit(0)`,
      file,
    );
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    for (let i = 0; i < 40; i++) expect(rowsOf(`${file}${i}`).patches, `file ${i}`).toHaveLength(1);
  });

  it('by process.exit(), also where a copy of an earlier version came first, which notes less', async () => {
    const [file, preload] = [freshFile(), join(freshFolder(), 'earlier.cjs')];
    const notes = '{ due: [], isTelling: false, isExiting: false }';
    writeFileSync(preload, `globalThis[Symbol.for('sds-persistence-worker.notes')] = ${notes};`);
    const ended = await runProgram(`${burst} process.exit(7);`, file, { flags: ['--require', preload] });
    expect(ended).toMatchObject({ code: 7, stderr: '' });
    expectAll(file);
  });

  it('by an uncaught error, also where another copy of this package fails at it', async () => {
    const file = freshFile();
    const ended = await runProgram(`${burst} ${failingCopy} throw new Error('on purpose')`, file);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('on purpose');
    expectAll(file);
  });

  it.each([
    ['throws', "throw new Error('on purpose')"],
    ['ends the process', 'process.exit(3)'],
  ])('by process.exit(), where an exit listener of the program, which was there first, %s', async (_, listener) => {
    const file = freshFile();
    const program = `process.on('exit', () => { console.log('called'); ${listener}; }); ${burst} process.exit(0)`;
    expect(await runProgram(program, file)).toMatchObject({ stdout: 'called\n' });
    expectAll(file);
  });

  it.each([
    'process.on("uncaughtException", (error) => { throw error; })',
    'process.setUncaughtExceptionCaptureCallback((error) => { throw error; })',
  ])('by an uncaught error, where its handler throws as well, so that there is no exit event: %s', async (handled) => {
    const file = freshFile();
    const ended = await runProgram(`${handled}; ${burst} await provider.ready(); setImmediate(() => nowhere())`, file);
    expect(ended.code).toBe(7);
    expect(ended.stderr).toContain('nowhere is not defined');
    expectAll(file);
  });

  it.each([
    ['', slowCheckpoints],
    [', and the thread that waits is often late', `{${slowCheckpoints}}{${lateThread}}`],
  ])('by an uncaught error, while a checkpoint takes longer than is waited for a commit%s', async (_, preloaded) => {
    const [file, preload] = [freshFile(), join(freshFolder(), 'preloaded.cjs')];
    writeFileSync(preload, preloaded);
    const ended = await runProgram(
      `process.on('uncaughtException', (error) => { throw error; });
      const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      await provider.ready();
      void provider.saveSnapshot(new Uint8Array(50_000_000), 0); // makes the log large
      for (let clock = 1; clock <= 10; clock++) void provider.appendPatch(patchOf(clock), clock);
      setImmediate(() => nowhere());`,
      file,
      { flags: ['--require', preload] },
    );
    expect(ended.code).toBe(7);
    expect(rowsOf(file).patches).toHaveLength(10);
  });

  it('by an unhandled rejection', async () => {
    const file = freshFile();
    const ended = await runProgram(
      `${burst} Promise.reject(new Error('on purpose')); await new Promise(() => {})`,
      file,
    );
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('on purpose');
    expectAll(file);
  });

  it('by SIGTERM, if the program handles it', async () => {
    const file = freshFile();
    const ended = await runProgram(
      `process.on('SIGTERM', () => { ${burst} process.exit(0) }); setInterval(() => {}, 1000); console.log('up')`,
      file,
      { onOutput: (output, kill) => output.includes('up') && kill('SIGTERM') },
    );
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    expectAll(file);
  });

  it('by calls that are made only in exit listeners, before and behind ours', async () => {
    const file = freshFile();
    const ended = await runProgram(
      `let provider;
      process.on('exit', () => provider.appendPatch(patchOf('early'), 1));
      provider = new SDS_DesktopPersistenceProvider(file, 'store');
      process.on('exit', () => { provider.appendPatch(patchOf('late'), 2); provider.saveValue('hash', patchOf('late')) });
      await provider.ready()`,
      file,
    );
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expectAll(file, 2);
  });

  it('inside a worker thread of the program, by process.exit() there', async () => {
    const file = freshFile();
    const ended = await runProgram(
      `import { isMainThread, Worker } from 'node:worker_threads';
      if (isMainThread) new Worker(new URL(import.meta.url));
      else { ${burst} process.exit(0) }`,
      file,
    );
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expectAll(file);
  });

  it('SIGKILL takes what was not acknowledged, and nothing that was', async () => {
    const file = freshFile();
    const ended = await runProgram(
      `${burst} await provider.flush(); provider.appendPatch(patchOf('later'), 9999); console.log('flushed');
      process.kill(process.pid, 'SIGKILL')`,
      file,
    );
    expect(ended.signal).toBe('SIGKILL');
    expect(rowsOf(file).patches.length).toBeGreaterThanOrEqual(5000);
  });
});

describe('flushSync', () => {
  it('blocks until all is committed, in the same tick', async () => {
    const file = freshFile();
    const ended = await runProgram(
      `${burst} console.log(provider.flushSync()); process.kill(process.pid, 'SIGKILL')`,
      file,
    );
    expect(ended.stdout).toBe('true\n');
    expectAll(file);
  });

  it('says so if the time was too short, and loses nothing by it', async () => {
    const file = freshFile();
    const ended = await runProgram(
      `${burst} await provider.flush();
      const other = lockFile(file);
      void provider.appendPatch(patchOf('the last'), 5001);
      console.log(provider.flushSync(0));
      other.exec('COMMIT');`,
      file,
    );
    expect(ended).toMatchObject({ code: 0, stdout: 'false\n' });
    expectAll(file, 5001);
  });
});

it('a call that fails within flushSync() of an exit listener of the program is told: its promise tells nobody any more', async () => {
  const file = freshFile();
  const { code, stderr } = await runProgram(
    `
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 50 });
    await provider.ready();
    process.prependListener('exit', () => provider.flushSync());
    const holder = lockFile(file);
    void provider.appendPatch(new Uint8Array(10), 1);
    process.exit(holder.isTransaction ? 0 : 1);
    `,
    file,
  );
  expect(code).toBe(0);
  expect(stderr).toMatch(/a call could not be carried out as the process ends: appendPatch/);
});

it.each([
  ['in the turn in which that is heard', 'provider.flush().catch(() => process.exit(0));'],
  [
    'as a listener of warnings is told',
    "process.on('warning', () => process.exit(0)); await stayFor(provider.flush().catch(() => {}));",
  ],
  [
    'while the clock of a test stands still',
    `process.nextTick = () => {};
    await stayFor(provider.flush().catch(() => {}));
    setImmediate(() => process.exit(0));`,
  ],
])('an acknowledged call that has failed is told once, though the process ends %s', async (_, end) => {
  const { code, stderr } = await runProgram(
    `
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 50 });
    await provider.ready();
    lockFile(file);
    await provider.saveSnapshot(new Uint8Array(10), 1);
    ${end}
    `,
    freshFile(),
    { flags: ['--disable-warning=ExperimentalWarning'] },
  );
  expect(code).toBe(0);
  expect(stderr.match(/a call that was acknowledged when it was queued has failed: saveSnapshot/g)).toHaveLength(1);
});

it.each([
  [
    'before a handler of uncaught errors that ends the process',
    "process.on('uncaughtException', () => process.exit(0)); throw new Error('on purpose')",
  ],
  ['in flushSync(), and process.exit() comes in the same turn', 'provider.flushSync(); process.exit(0)'],
])('a call is told that fails %s', async (_, end) => {
  const { code, stdout, stderr } = await runProgram(
    `
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 50 });
    await provider.ready();
    lockFile(file);
    setImmediate(() => {
      provider.appendPatch(new Uint8Array(10), 1).catch(() => console.log('heard'));
      ${end};
    });
    `,
    freshFile(),
    { flags: ['--disable-warning=ExperimentalWarning'] },
  );
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  expect(stderr).toMatch(/a call could not be carried out as the process ends: appendPatch/);
});

it('of calls that fail together, those are told that are not heard since the handler of the first one ends the process', async () => {
  const { code, stdout, stderr } = await runProgram(
    `
    const heard = (end) => ({ code }) => { console.log(code); end?.(); };
    const [first, second] = ['first', 'second'].map(
      (id) => new SDS_DesktopPersistenceProvider(file, id, { BusyTimeoutMs: 50, Acknowledge: 'committed' }),
    );
    await Promise.all([first.ready(), second.ready()]);
    lockFile(file);
    first.appendPatch(new Uint8Array(10), 1).catch(() => {}); // meanwhile the others are gathered
    await stayFor(new Promise((resolve) => setTimeout(resolve, 10)));
    first.appendPatch(new Uint8Array(10), 2).catch(heard(() => process.exit(0)));
    second.saveSnapshot(new Uint8Array(10), 1).catch(heard());
    `,
    freshFile(),
    { flags: ['--disable-warning=ExperimentalWarning'] },
  );
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'database-busy\n' });
  expect(stderr).toMatch(/^.* a call could not be carried out as the process ends: saveSnapshot .*\n$/);
});

it('of fifty thousand calls that fail together, the program hears in less time of the processor than it took to call them', async () => {
  const { code, stdout } = await runProgram(
    `
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 0 });
    await provider.ready();
    const holder = lockFile(file);
    const usedMs = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000; };
    const begun = usedMs();
    const calls = Array.from({ length: 50_000 }, (_, at) => provider.saveRecord(String(at), new Uint8Array(1)));
    const outcomes = Promise.allSettled(calls);
    try { provider.flushSync(); } catch {}
    const called = usedMs();
    const failed = (await stayFor(outcomes)).filter(({ status }) => status === 'rejected').length;
    const isHeardSooner = usedMs() - called < called - begun;
    console.log(failed, isHeardSooner);
    process.exit(0);
    `,
    freshFile(),
    { flags: ['--disable-warning=ExperimentalWarning'] },
  );
  expect({ code, stdout }).toEqual({ code: 0, stdout: '50000 true\n' });
});
