/** close(): waits for what was called before, and leaves the file to anyone. */
import { existsSync, rmSync } from 'node:fs';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { filesBeside, freshFile, patchOf, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';
import { ReferenceProvider } from '../support/reference-provider.ts';

describe('close', () => {
  it('waits for what was called before, and leaves the database file alone in its folder', async () => {
    const file = freshFile();
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    let settled = 0;
    for (let clock = 1; clock <= 3000; clock++) void provider.appendPatch(patchOf(clock), clock).then(() => settled++);
    void provider.saveSnapshot(new Uint8Array(3_000_000), 1).then(() => settled++);
    await provider.close();
    expect(settled).toBe(3001);
    expect(filesBeside(file)).toEqual(['store.db']);
    expect(rowsOf(file).patches).toHaveLength(3000);
  });

  it('is the same call when it is made again, also while it is under way', async () => {
    const provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store');
    const first = provider.close();
    expect(provider.close()).toBe(first);
    await first;
    await provider.close();
    await provider[Symbol.asyncDispose]();
  });

  it('is carried out by the next worker, if the one that was told of it has been lost', async () => {
    const file = freshFile();
    const { code, stdout, stderr } = await runProgram(
      `const workers = [];
      process.on('worker', (worker) => workers.push(worker));
      const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      await provider.appendPatch(patchOf(1), 1);
      const ended = endThread(workers[0]);
      await provider.close();
      await ended;
      console.log(provider.status);`,
      file,
    );
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'closed\n', stderr: '' });
    expect(filesBeside(file)).toEqual(['store.db']);
  });

  it('is told by the status, as is the opening', async () => {
    const provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store');
    expect(provider.status).toBe('opening');
    await provider.ready();
    expect(provider.status).toBe('open');
    const closing = provider.close();
    expect(provider.status).toBe('closing');
    await closing;
    expect(provider.status).toBe('closed');
    const nowhere = new SDS_DesktopPersistenceProvider(`${freshFile()}/no-folder/store.db`, 'store');
    await expect(nowhere.ready()).rejects.toMatchObject({ code: 'open-failed' });
    expect(nowhere.status).toBe('opening');
    await nowhere.close();
    expect(nowhere.status).toBe('closed');
  });

  it('makes every later call reject with closed, from the moment it is called', async () => {
    const provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store');
    const closing = provider.close();
    for (const moment of ['closing', 'closed']) {
      const calls = [
        provider.loadSnapshot(),
        provider.saveSnapshot(patchOf(1)),
        provider.loadPatchesSince(0),
        provider.appendPatch(patchOf(1), 1),
        provider.prunePatches(1),
        provider.loadValue('hash'),
        provider.saveValue('hash', patchOf(1)),
        provider.releaseValue('hash'),
        provider.ready(),
        provider.flush(),
      ];
      for (const result of await Promise.allSettled(calls)) {
        expect(result, moment).toMatchObject({ status: 'rejected', reason: { code: 'closed' } });
      }
      const message = expect.stringMatching(/^backup \(/);
      await expect(provider.backup(freshFile())).rejects.toMatchObject({ code: 'closed', message });
      expect(() => provider.flushSync(), moment).toThrow(expect.objectContaining({ code: 'closed' }));
      await closing;
    }
  });

  it('lets anyone delete the file, or open it, at once', async () => {
    const file = freshFile();
    for (let round = 0; round < 20; round++) {
      const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      void provider.appendPatch(patchOf(round), 1);
      await provider.close();
      const other = new ReferenceProvider(file, 'store');
      expect(await other.loadPatchesSince(0), `round ${round}`).toEqual([patchOf(round)]);
      await other.close();
      rmSync(file);
      expect(existsSync(`${file}-wal`) || existsSync(`${file}-shm`)).toBe(false);
    }
  });

  it('of one provider leaves the others on the file at work', async () => {
    const file = freshFile();
    const [first, second] = [1, 2].map(() => new SDS_DesktopPersistenceProvider(file, 'store')) as [
      SDS_DesktopPersistenceProvider,
      SDS_DesktopPersistenceProvider,
    ];
    await first.appendPatch(patchOf(1), 1);
    await first.close();
    await second.appendPatch(patchOf(2), 2);
    expect(await second.loadPatchesSince(0)).toHaveLength(2);
    await second.close();
    expect(filesBeside(file)).toEqual(['store.db']);
  });

  it('may meet a new provider on the same file at any moment', async () => {
    const file = freshFile();
    const closings: Promise<void>[] = [];
    for (let clock = 1; clock <= 50; clock++) {
      const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      void provider.appendPatch(patchOf(clock), clock);
      closings.push(provider.close());
      if (clock % 7 === 0) await closings[clock - 3];
    }
    await Promise.all(closings);
    expect(filesBeside(file)).toEqual(['store.db']);
    expect(rowsOf(file).patches).toHaveLength(50);
  });

  it('does not reject for a call that failed: that call has done so', async () => {
    const provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store', { VerifyValues: true });
    const failed = provider.saveValue('0'.repeat(64), patchOf(1));
    const closing = provider.close();
    await expect(failed).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(closing).resolves.toBeUndefined();
  });

  it('is what `await using` does', async () => {
    const file = freshFile();
    {
      await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
      void provider.appendPatch(patchOf(1), 1);
    }
    expect(filesBeside(file)).toEqual(['store.db']);
  });

  it('comes by itself, once it is collected, for a provider that the program let go: its file is not kept open', async () => {
    const file = freshFile();
    const ended = await runProgram(
      `import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
for (let i = 0; i < 50; i++) {
  let provider = new SDS_DesktopPersistenceProvider(file + i, 'store');
  if (i % 2 === 0) await provider.ready();
  provider.saveSnapshot(patchOf(i), 1);
  provider = undefined;
}
const logs = () => readdirSync(dirname(file)).filter((name) => name.endsWith('-wal'));
// nothing tells that it was collected: look, until the test's time is over
while (logs().length > 0) {
  gc();
  await new Promise((resolve) => setTimeout(resolve, 5));
}
console.log('none is open');`,
      file,
      { flags: ['--expose-gc'] },
    );
    expect(ended).toMatchObject({ code: 0, stdout: 'none is open\n', stderr: '' });
    for (let i = 0; i < 50; i++) expect(rowsOf(`${file}${i}`).snapshots, `file ${i}`).toHaveLength(1);
  });
});
