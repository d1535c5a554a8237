/** What nobody waits for is committed all the same, in order, and its failures are told. */
import { createHook } from 'node:async_hooks';
import { watch } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { inspect } from 'node:util';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it, vi } from 'vitest';
import { freshFile, patchOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

/** Resolves once another connection sees so many patches; woken by what happens in the file's folder. */
async function seenFromOutside(file: string, count: number): Promise<void> {
  const reader = new DatabaseSync(file);
  const patches = reader.prepare('SELECT count(*) AS count FROM patches');
  const watcher = watch(dirname(file));
  try {
    while ((patches.get() as { count: number }).count < count) {
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          watcher.off('change', done);
          resolve();
        };
        const timer = setTimeout(done, 100); // an event may have come before
        watcher.on('change', done);
      });
    }
  } finally {
    watcher.close();
    reader.close();
  }
}

describe('patches that nobody waits for', () => {
  it('are committed while the program does other things', async () => {
    const file = freshFile();
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await provider.ready();
    for (let clock = 1; clock <= 300; clock++) {
      provider
        .appendPatch(new Uint8Array([clock & 0xff]), clock)
        .catch((error: unknown) => expect(error).toBeUndefined());
      await nextTurn();
    }
    await seenFromOutside(file, 300);
    await provider.close();
  });

  it('are committed although the program has put a clock of its own in place', async () => {
    const file = freshFile();
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await provider.ready();
    const now = vi.spyOn(performance, 'now');
    let clock = 0;
    for (const time of [0, 1e6, 1e9, 1.7e12]) {
      now.mockReturnValue(time);
      for (let i = 0; i < 3; i++) {
        void provider.appendPatch(new Uint8Array([++clock]), clock);
        await nextTurn();
      }
      await seenFromOutside(file, clock);
    }
    now.mockRestore();
    await provider.close();
  });

  it('keep their order beside writes and reads of every other kind, a turn each', async () => {
    const file = freshFile();
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    const large = new Uint8Array(200_000).fill(7);
    for (let clock = 1; clock <= 400; clock++) {
      void provider.appendPatch(new Uint8Array([clock & 0xff]), clock);
      if (clock % 50 === 0) void provider.saveSnapshot(large, clock);
      if (clock % 70 === 0) void provider.prunePatches(clock - 10);
      if (clock % 90 === 0) {
        const found = await provider.loadPatchesSince(clock - 3);
        expect(found.map((patch) => patch[0])).toEqual([clock - 2, clock - 1, clock].map((number) => number & 0xff));
      }
      await nextTurn();
    }
    expect(await provider.loadPatchesSince(340)).toHaveLength(60);
    expect(await provider.loadSnapshot()).toHaveLength(200_000);
    await provider.close();
  });

  it('are all there after another process had locked the file meanwhile', async () => {
    const file = freshFile();
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 60_000 });
    await provider.ready();
    const other = new DatabaseSync(file);
    other.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
    for (let clock = 1; clock <= 500; clock++) {
      void provider.appendPatch(new Uint8Array([clock & 0xff]), clock);
      await nextTurn();
    }
    other.exec('COMMIT');
    other.close();
    await provider.flush();
    const found = await provider.loadPatchesSince(0);
    expect(found.map((patch) => patch[0])).toEqual(Array.from({ length: 500 }, (_, i) => (i + 1) & 0xff));
    await provider.close();
  });

  it('are not in the way of others once they are committed, although nobody was told', async () => {
    const options = { MaxPendingBytes: 1, Overflow: 'reject' } as const; // one call at a time
    const provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store', options);
    await provider.ready();
    const isPending = (promise: Promise<void>) => inspect(promise).includes('<pending>');
    let last = Promise.resolve();
    let madeRoom = 0;
    // a thread that is slow may be told of one before it calls again
    for (let clock = 1; madeRoom < 10 && clock <= 100_000; ) {
      const isUntold = isPending(last);
      const call = provider.appendPatch(new Uint8Array(10), clock);
      let isRefused = false;
      call.catch(() => {
        isRefused = true;
      });
      await nextTurn();
      if (isRefused) continue;
      if (isUntold && call !== last) madeRoom++; // with the same promise it has joined what the worker had not begun with
      last = call;
      clock++;
    }
    expect(madeRoom).toBe(10);
    await provider.close();
  });

  const failing = `
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 300, Acknowledge: 'committed' });
    await provider.ready();
    lockFile(file);
    process.on('exit', () => console.log('exit'));
    provider.appendPatch(new Uint8Array(3), 1).catch((error) => console.log('caught', error.code));
  `;

  it('tell whoever catches their failure before the program ends, also if it has nothing else to do', async () => {
    const { code, stdout } = await runProgram(failing, freshFile());
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'caught database-busy\nexit\n' });
  });

  it('end the program by a failure that nobody catches, as any promise does', async () => {
    const { code, stderr } = await runProgram(`${failing} provider.prunePatches(5);`, freshFile());
    expect(code).toBe(1);
    expect(stderr).toContain('database-busy');
  });

  it('keep their promises, also if the next patch is called before anybody has heard that they are committed', async () => {
    const file = freshFile();
    await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await provider.ready();
    const patches = [provider.appendPatch(patchOf(1), 1)];
    using reader = new DatabaseSync(file);
    const stored = reader.prepare('SELECT count(*) AS count FROM patches');
    while ((stored.get() as { count: number }).count === 0); // this thread hears of nothing meanwhile
    patches.push(provider.appendPatch(patchOf(2), 2));
    await Promise.all(patches);
    expect(await provider.loadPatchesSince(0)).toHaveLength(2);
  });

  it('are told of, and let go, also if the thread that calls has lost its core until the worker had finished', async () => {
    const options = { VerifyValues: true, Acknowledge: 'committed' } as const;
    const provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store', options);
    let promises = 0;
    const hook = createHook({
      init: (_, type) => {
        if (type !== 'PROMISE') return;
        promises++;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
      },
    });
    /** Calls again until the worker was back in its event loop, and had to be woken by a call, which makes promises of its own. */
    const calledAfterAPause = async (call: () => void) => {
      let calls = 0;
      do {
        await pause(1500);
        promises = 0;
        hook.enable();
        call();
        hook.disable();
        calls++;
      } while (promises <= 4 && calls < 20);
      expect(promises).toBeGreaterThan(4);
      return calls;
    };
    await provider.ready();
    const told: string[] = [];
    const note = ({ code }: { code: string }) => void told.push(code);
    const calls = await calledAfterAPause(
      () => void provider.saveValue('a'.repeat(64), patchOf('of another hash')).catch(note),
    );
    await expect.poll(() => told).toEqual(Array(calls).fill('invalid-argument'));
    await calledAfterAPause(() => void provider.appendPatch(patchOf(1), 1));
    await expect.poll(() => provider.statistics().Worker.PendingBytes).toBe(0);
    await provider.close();
  });
});
