/** On one worker, neither a busy stream of writes nor a locked file keeps the others waiting. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { freshFile, patchOf } from '../support/files.ts';
import { lock } from '../support/lock.ts';
import { runProgram } from '../support/programs.ts';

const oneWorker = `process.env.SDS_PERSISTENCE_WORKERS = '1';`;

describe('nobody is held up', () => {
  it('loads of one file are answered while another file of the worker is written in a loop', async () => {
    const ended = await runProgram(
      `${oneWorker}
      const busy = new SDS_DesktopPersistenceProvider(file, 'store');
      const other = new SDS_DesktopPersistenceProvider(file + '-other', 'store');
      let stop = false;
      const writing = (async () => { for (let clock = 1; !stop; clock++) await busy.appendPatch(patchOf(clock), clock) })();
      for (let i = 0; i < 200; i++) await other.loadSnapshot();
      stop = true;
      await writing;
      console.log('answered');`,
      freshFile(),
    );
    expect(ended).toMatchObject({ code: 0, stdout: 'answered\n', stderr: '' });
  });

  it('a file that another process has locked waits alone, the others of the worker go on', async () => {
    const [locked, free] = [freshFile(), freshFile()];
    const ended = await runProgram(
      `${oneWorker}
      const waiting = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 600_000 });
      const going = new SDS_DesktopPersistenceProvider(${JSON.stringify(free)}, 'store');
      await Promise.all([waiting.ready(), going.ready()]);
      const other = lockFile(file);
      let written = false;
      const write = waiting.appendPatch(patchOf(1), 1).then(() => { written = true });
      for (let clock = 1; clock <= 100; clock++) {
        await going.appendPatch(patchOf(clock), clock);
        await going.loadPatchesSince(clock - 1);
      }
      console.log(written);
      other.exec('COMMIT');
      other.close();
      await write;
      console.log(written);`,
      locked,
    );
    expect(ended).toMatchObject({ code: 0, stdout: 'false\ntrue\n' });
  });

  it('a read that was called with a write of a locked file is answered, though the write is not', async () => {
    const file = freshFile();
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 50 });
    await provider.saveSnapshot(patchOf('snapshot'), 1);
    const unlock = lock(file);
    const write = provider.appendPatch(patchOf(1), 1);
    const read = provider.loadSnapshot();
    await expect(write).rejects.toMatchObject({ code: 'database-busy' });
    expect(await read).toEqual(patchOf('snapshot'));
    unlock();
    await provider.appendPatch(patchOf(1), 1);
    expect(await provider.loadPatchesSince(0)).toHaveLength(1);
    await provider.close();
  });
});
