/**
 * Calls whose promise resolves when they are queued (`Acknowledge: 'queued'`): what a program hears of their failure, and
 * that a prune does not delete what a snapshot that could not be stored was to replace.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freshFile, freshFolder, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

/**
 * Runs a program in which `full()` and `room()` decide whether a snapshot can be stored: SQLite's words and code of a full
 * disk come from the statement, in the worker. Between `hold()` and `goOn()` the worker waits with a snapshot of number 5.
 * `told` are the events of the channel, `warnings` the codes of warnings.
 */
async function onFullDisk(text: string, file: string, options = '{}') {
  const folder = freshFolder();
  const preload = join(folder, 'full-disk.cjs');
  const [marker, held] = ['full', 'held'].map((name) => JSON.stringify(join(folder, name)));
  writeFileSync(
    preload,
    `const { isMainThread } = require('node:worker_threads');
    if (!isMainThread) {
      const { existsSync } = require('node:fs');
      const { DatabaseSync, StatementSync } = require('node:sqlite');
      const { prepare } = DatabaseSync.prototype;
      DatabaseSync.prototype.prepare = function (sql) {
        const statement = prepare.call(this, sql);
        if (!/INTO snapshots/.test(sql)) return statement;
        const { run } = statement;
        statement.run = function (...values) {
          while (existsSync(${held}) && values.includes(5)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
          if (!existsSync(${marker})) return run.apply(this, values);
          throw Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR', errcode: 13 });
        };
        return statement;
      };
    }`,
  );
  const { code, stdout, stderr } = await runProgram(
    `import { subscribe } from 'node:diagnostics_channel';
    import { rmSync, writeFileSync } from 'node:fs';
    import { DatabaseSync } from 'node:sqlite';
    const full = () => writeFileSync(${marker}, '');
    const room = () => rmSync(${marker}, { force: true });
    const hold = () => writeFileSync(${held}, '');
    const goOn = () => rmSync(${held});
    const told = [];
    const next = { resolve() {} };
    subscribe('sds-persistence:write-failed', (message) => { told.push(message); next.resolve(); });
    const failure = () => new Promise((resolve) => { next.resolve = resolve; });
    const warnings = [];
    process.on('warning', ({ code }) => warnings.push(code));
    let worker;
    process.on('worker', (started) => (worker = started));
    const outcome = (promise) => promise.then(() => 'fine', ({ code }) => code);
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', ${options});
    await provider.ready();
    for (let clock = 1; clock <= 5; clock++) await provider.appendPatch(patchOf(clock), clock);
    ${text}`,
    file,
    { flags: ['--disable-warning=ExperimentalWarning', '--require', preload] },
  );
  return { code, stderr, lines: stdout.trim().split('\n') };
}

const small = 'patchOf(5)';
const large = 'new Uint8Array(500_000)';

describe('a snapshot that can not be stored, after its promise has resolved', () => {
  for (const [size, snapshot] of [
    ['small', small],
    ['large', large],
  ]) {
    it(`(${size}) is told by a warning, on the channel, by flush; the prune behind it deletes nothing`, async () => {
      const file = freshFile();
      const { code, lines } = await onFullDisk(
        `full();
        await provider.saveSnapshot(${snapshot}, 5);
        await provider.prunePatches(6);
        while (told.length < 2) await failure(); // the prune has failed, too
        console.log(await outcome(provider.flush()), await outcome(provider.flush()));
        await new Promise(setImmediate); // warnings are emitted in a later tick
        console.log(told[0].Code, told[0].StoreId, /saveSnapshot.*disk is full/.test(told[0].Message), warnings.includes('SDS_WRITE_FAILED'));
        console.log((await provider.loadPatchesSince(0)).length);
        // from now on the method says itself what becomes of it
        console.log(await outcome(provider.saveSnapshot(${snapshot}, 5)));
        room();
        console.log(await outcome(provider.saveSnapshot(${snapshot}, 5)), await outcome(provider.prunePatches(6)));
        console.log((await provider.loadPatchesSince(0)).length, await outcome(provider.close()));`,
        file,
      );
      expect(lines).toEqual([
        'database-full fine',
        'database-full store true true',
        '5',
        'database-full',
        'fine fine',
        '0 fine',
      ]);
      expect(code).toBe(0);
      expect(rowsOf(file)).toMatchObject({ snapshots: [{ clock: 5 }], patches: [] });
    });
  }

  it('is told by the next flush, if it was called behind a flush that has told another', async () => {
    const { lines } = await onFullDisk(
      `full();
      await provider.saveSnapshot(${small}, 5);
      const first = outcome(provider.flush());
      await provider.saveSnapshot(${small}, 6);
      provider.flushSync(); // both have failed before this thread hears of either
      console.log(await first, await outcome(provider.flush()), await outcome(provider.flush()));`,
      freshFile(),
    );
    expect(lines).toEqual(['database-full database-full fine']);
  });

  it('is told by the next flush alone, if it was called behind one that has nothing to tell', async () => {
    const { lines } = await onFullDisk(
      `void provider.appendPatch(patchOf(6), 6);
      const first = outcome(provider.flush());
      const reader = new DatabaseSync(file);
      while (reader.prepare('SELECT count(*) AS stored FROM patches').get().stored < 6); // this thread has not heard of it
      reader.close();
      full();
      void provider.saveSnapshot(${small}, 6);
      provider.flushSync();
      console.log(await first, await outcome(provider.flush()), await outcome(provider.flush()));`,
      freshFile(),
    );
    expect(lines).toEqual(['fine database-full fine']);
  });

  it('is told once, and what a promise behind it has told is not told again', async () => {
    const { lines } = await onFullDisk(
      `const contents = await provider.loadStore();
      full();
      void provider.saveSnapshot(${small}, 6);
      const first = outcome(provider.flush());
      const compaction = outcome(provider.compactStore(${small}, contents));
      provider.flushSync();
      console.log(await first, await compaction, await outcome(provider.flush()));`,
      freshFile(),
    );
    expect(lines).toEqual(['database-full database-full fine']);
  });

  it('is told by the flush behind it, whatever has failed before that is heard of', async () => {
    const { lines } = await onFullDisk(
      `full();
      let second;
      subscribe('sds-persistence:write-failed', () => {
        if (told.length !== 2) return;
        // the first flush has not gone on yet
        void provider.appendPatch(patchOf(6), 6);
        second = outcome(provider.flush());
        void provider.prunePatches(6);
        provider.flushSync();
      });
      void provider.saveSnapshot(${small}, 5);
      const first = outcome(provider.flush());
      void provider.saveSnapshot(${small}, 6);
      provider.flushSync();
      console.log(await first, await second, await outcome(provider.flush()), await outcome(provider.flush()));`,
      freshFile(),
    );
    expect(lines).toEqual(['database-full database-full database-full fine']);
  });

  it('is told by close, if nobody has heard of it before', async () => {
    const file = freshFile();
    const { lines } = await onFullDisk(
      `full();
      await provider.saveSnapshot(${small}, 5);
      await provider.prunePatches(6);
      console.log(await outcome(provider.close()));`,
      file,
    );
    expect(lines).toEqual(['database-full']);
    expect(rowsOf(file)).toMatchObject({ snapshots: [], patches: { length: 5 } });
  });

  it('keeps its patches although the worker is lost before it comes to the prune', async () => {
    const file = freshFile();
    const { lines, stderr } = await onFullDisk(
      `full();
      const failed = failure();
      await provider.saveSnapshot(${large}, 5);
      await failed;
      const ended = endThread(worker);
      await provider.prunePatches(6).catch(() => undefined);
      await ended;
      console.log((await provider.loadPatchesSince(0)).length);
      room();
      await provider.saveSnapshot(${large}, 5);
      await provider.prunePatches(6);
      console.log((await provider.loadPatchesSince(0)).length);
      await provider.close().catch(() => undefined);`,
      file,
    );
    expect({ lines, stderr }).toMatchObject({ lines: ['5', '0'] });
  });

  it('keeps its patches although it went down with the worker, and one before it was stored after that', async () => {
    const file = freshFile();
    const { stdout, stderr } = await runProgram(
      `let worker;
      process.on('worker', (started) => (worker = started));
      const provider = new SDS_DesktopPersistenceProvider(file, 'store', { TransferSnapshots: true, BusyTimeoutMs: 60_000 });
      await provider.ready();
      for (let clock = 1; clock <= 10; clock++) await provider.appendPatch(patchOf(clock), clock);
      const other = lockFile(file);
      await provider.saveSnapshot(new Uint8Array(1000), 5); // copied
      await provider.saveSnapshot(new Uint8Array(300_000), 10); // handed over
      await provider.prunePatches(11);
      await new Promise((resolve) => setImmediate(resolve)); // sent
      await endThread(worker);
      other.exec('COMMIT');
      const told = await provider.flush().catch(({ code }) => code);
      await provider.prunePatches(11).catch(() => undefined); // it is told by then: still no snapshot has them
      const { SnapshotClock, Patches } = await provider.loadStore();
      console.log(told, SnapshotClock, Patches.length);
      await provider.close().catch(() => undefined);`,
      file,
      { flags: ['--disable-warning=ExperimentalWarning', '--disable-warning=SDS_WRITE_FAILED'] },
    );
    expect({ stdout, stderr }).toEqual({ stdout: 'worker-lost 5 10\n', stderr: '' });
  });

  it('is told on stderr, if the process ends by process.exit()', async () => {
    const file = freshFile();
    const { code, stderr } = await onFullDisk(
      `full();
      await provider.saveSnapshot(${small}, 5);
      await provider.prunePatches(6);
      process.exit(3);`,
      file,
    );
    expect(code).toBe(3);
    expect(stderr).toMatch(/saveSnapshot \('.*'\).*full/);
    expect(rowsOf(file)).toMatchObject({ snapshots: [], patches: { length: 5 } });
  });

  it("rejects with Acknowledge: 'committed', and the prune is the program's own decision", async () => {
    const file = freshFile();
    const { lines } = await onFullDisk(
      `full();
      console.log(await outcome(provider.saveSnapshot(${small}, 5)), told.length);
      console.log(await outcome(provider.prunePatches(6)), (await provider.loadPatchesSince(0)).length);
      await provider.close();`,
      file,
      "{ Acknowledge: 'committed' }",
    );
    expect(lines).toEqual(['database-full 0', 'fine 0']);
  });
});

describe('a prune that is called before the program can know that the snapshot before it is not stored deletes nothing', () => {
  it("with Acknowledge: 'committed', where the snapshot fails", async () => {
    const { lines } = await onFullDisk(
      `full();
      const calls = [provider.saveSnapshot(${small}, 5), provider.prunePatches(6)];
      console.log(...(await Promise.all(calls.map(outcome))), (await provider.loadPatchesSince(0)).length);
      room();
      console.log(await outcome(provider.prunePatches(4)), (await provider.loadPatchesSince(0)).length);`,
      freshFile(),
      "{ Acknowledge: 'committed' }",
    );
    expect(lines).toEqual(['database-full database-full 5', 'fine 2']);
  });

  it.each(['queued', 'committed'])(
    'where the snapshot is refused, since too much is pending: %s',
    async (acknowledge) => {
      const { lines } = await onFullDisk(
        `const calls = [provider.saveSnapshot(${large}, 3), provider.saveSnapshot(${large}, 5)];
      calls.push(provider.prunePatches(6), provider.prunePatches(6));
      console.log(...(await Promise.all(calls.map(outcome))), (await provider.loadPatchesSince(0)).length);
      console.log(await outcome(provider.prunePatches(4)), (await provider.loadPatchesSince(0)).length);`,
        freshFile(),
        `{ Acknowledge: '${acknowledge}', Overflow: 'reject', MaxPendingBytes: 20_000 }`,
      );
      expect(lines).toEqual(['fine queue-full queue-full queue-full 5', 'fine 2']);
    },
  );

  it('but that of a later snapshot, which is stored, does', async () => {
    const { lines } = await onFullDisk(
      `const calls = [provider.saveSnapshot(undefined, 3), provider.saveSnapshot(${small}, 5), provider.prunePatches(6)];
      console.log(...(await Promise.all(calls.map(outcome))), (await provider.loadPatchesSince(0)).length);`,
      freshFile(),
    );
    expect(lines).toEqual(['invalid-argument fine fine 0']);
  });

  it("with Acknowledge: 'committed', where the snapshot called before that one has settled", async () => {
    const { lines } = await onFullDisk(
      `hold();
      // each of them is a batch by itself
      const [first, second] = [provider.saveSnapshot(${large}, 3), provider.saveSnapshot(${large}, 5)];
      console.log(await outcome(first));
      full();
      const calls = [second, provider.prunePatches(6)];
      goOn();
      console.log(...(await Promise.all(calls.map(outcome))), (await provider.loadPatchesSince(0)).length);`,
      freshFile(),
      "{ Acknowledge: 'committed' }",
    );
    expect(lines).toEqual(['fine', 'database-full database-full 5']);
  });

  it('nor one behind a snapshot that has failed: what was appended while the one before was on its way is in none', async () => {
    const { lines } = await onFullDisk(
      `hold();
      const snapshot = provider.saveSnapshot(${small}, 5);
      await new Promise(setImmediate);
      const meanwhile = provider.appendPatch(patchOf(6), 6);
      goOn();
      await Promise.all([snapshot, meanwhile]);
      full();
      console.log(await outcome(provider.saveSnapshot(${small}, 6)), await outcome(provider.prunePatches(7)));
      console.log((await provider.loadPatchesSince(0)).length);`,
      freshFile(),
      "{ Acknowledge: 'committed' }",
    );
    expect(lines).toEqual(['database-full fine', '1']);
  });

  it("with Acknowledge: 'committed', where a later call of another provider is committed, and waited for, in the same job", async () => {
    const { lines } = await onFullDisk(
      `const other = new SDS_DesktopPersistenceProvider(file, 'other');
      await other.ready();
      full();
      const snapshot = provider.saveSnapshot(${small}, 5);
      void other.saveValue('hash', ${large}); // a batch by itself
      console.log(other.flushSync());
      const calls = [snapshot, provider.prunePatches(6)];
      console.log(...(await Promise.all(calls.map(outcome))), (await provider.loadPatchesSince(0)).length);
      await other.close();`,
      freshFile(),
      "{ Acknowledge: 'committed' }",
    );
    expect(lines).toEqual(['true', 'database-full database-full 5']);
  });
});

it.each(['queued', 'committed'])(
  'a release that is called in the turn in which the save before it is refused takes no reference of another entry: %s',
  async (acknowledge) => {
    const { lines } = await onFullDisk(
      `const other = new SDS_DesktopPersistenceProvider(file, 'other');
      await other.saveValue('hash', patchOf('value'));
      await other.flush();
      const calls = [provider.saveSnapshot(${large}, 5), provider.saveValue('hash', ${large}), provider.releaseValue('hash')];
      console.log(...(await Promise.all(calls.map(outcome))));
      console.log(await outcome(provider.releaseValue('other')), (await other.loadValue('hash'))?.length);
      await other.close();`,
      freshFile(),
      `{ Acknowledge: '${acknowledge}', Overflow: 'reject', MaxPendingBytes: 20_000 }`,
    );
    expect(lines).toEqual(['fine queue-full queue-full', 'fine 11']);
  },
);

it.each(['queued', 'committed'])(
  'a prune and a release are refused behind a save that is refused since it is given no bytes: %s',
  async (acknowledge) => {
    const { lines } = await onFullDisk(
      `const other = new SDS_DesktopPersistenceProvider(file, 'other');
      await other.saveValue('hash', patchOf('value'));
      await other.flush();
      const calls = [provider.saveSnapshot(undefined, 5), provider.prunePatches(6)];
      calls.push(provider.saveValue('hash', null), provider.saveValue('hash', null)); // each release is that of one of them
      calls.push(provider.releaseValue('hash'), provider.releaseValue('hash'));
      console.log(...(await Promise.all(calls.map(outcome))));
      console.log((await provider.loadPatchesSince(0)).length, (await other.loadValue('hash'))?.length);
      console.log(await outcome(provider.prunePatches(4)), (await provider.loadPatchesSince(0)).length);
      await other.close();`,
      freshFile(),
      `{ Acknowledge: '${acknowledge}' }`,
    );
    expect(lines).toEqual([Array(6).fill('invalid-argument').join(' '), '5 11', 'fine 2']);
  },
);

it('a release behind two saves that are refused one behind the other is refused as long as nobody has heard of the second', async () => {
  const { lines } = await onFullDisk(
    `const other = new SDS_DesktopPersistenceProvider(file, 'other');
    await other.saveValue('hash', patchOf('value'));
    await other.flush();
    const calls = [provider.saveValue('hash', null), provider.releaseValue('hash')];
    calls.push(Promise.resolve().then(() => provider.releaseValue('hash')), provider.saveValue('hash', null));
    console.log(...(await Promise.all(calls.map(outcome))));
    console.log((await other.loadValue('hash'))?.length);
    await other.close();`,
    freshFile(),
  );
  expect(lines).toEqual(['invalid-argument invalid-argument invalid-argument invalid-argument', '11']);
});

it.each(['queued', 'committed'])(
  'a release takes no reference of another entry if it is called before the program can know that the save before it fails: %s',
  async (acknowledge) => {
    const { lines } = await onFullDisk(
      `const { createHash } = await import('node:crypto');
      const hash = createHash('sha256').update(patchOf('value')).digest('hex');
      const other = new SDS_DesktopPersistenceProvider(file, 'other');
      await other.saveValue(hash, patchOf('value'));
      await other.flush();
      const left = async () => (await other.loadValue(hash))?.length;
      // it is verified, so its promise is not settled at once
      const calls = [provider.saveValue(hash, patchOf('others')), provider.releaseValue(hash)];
      console.log(...(await Promise.all(calls.map(outcome))), await outcome(provider.flush()), await left());
      // once it is known, it is the program's own decision
      console.log(await outcome(provider.saveValue(hash, patchOf('others'))), await outcome(provider.releaseValue(hash)), await left());
      await provider.close();
      await other.close();`,
      freshFile(),
      `{ Acknowledge: '${acknowledge}', VerifyValues: true }`,
    );
    const isTold = acknowledge === 'queued' ? 'fine invalid-argument' : 'invalid-argument fine';
    expect(lines).toEqual([`invalid-argument ${isTold} 11`, 'invalid-argument fine undefined']);
  },
);
