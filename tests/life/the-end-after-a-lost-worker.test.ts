/** Nothing of a worker that was lost, or of calls made at the last moment, keeps a program from ending. */
import { expect, it } from 'vitest';
import { freshFile } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

const flags = ['--disable-warning=ExperimentalWarning'];

it('a program ends by itself after an idle worker was lost and replaced', async () => {
  const ended = await runProgram(
    `let worker;
    process.on('worker', (started) => (worker = started));
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await provider.appendPatch(patchOf(1), 1);
    await endThread(worker);
    console.log('done');`,
    freshFile(),
    { flags },
  );
  expect(ended).toMatchObject({ code: 0, stdout: 'done\n', stderr: '' });
});

it('a failure of what a listener of beforeExit calls is told before the program ends', async () => {
  const ended = await runProgram(
    `const provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 300 });
    await provider.ready();
    lockFile(file);
    process.once('beforeExit', () => {
      provider.appendPatch(patchOf(1), 1).catch(({ code }) => console.log('caught', code));
    });
    process.on('exit', () => console.log('exit'));`,
    freshFile(),
    { flags },
  );
  expect(ended).toMatchObject({ code: 0, stdout: 'caught database-busy\nexit\n', stderr: '' });
});
