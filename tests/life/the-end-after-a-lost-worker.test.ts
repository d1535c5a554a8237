/** Nothing of a worker that was lost, or of calls made at the last moment, keeps a program from ending. */
import { expect, it } from 'vitest';
import { freshFile } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

const flags = ['--disable-warning=ExperimentalWarning'];

it('a program ends by itself after an idle worker was lost and replaced', async () => {
  const ended = await runProgram(
    `import { once } from 'node:events';
    let worker;
    process.on('worker', (started) => (worker = started));
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await provider.appendPatch(patchOf(1), 1);
    const lost = once(worker, 'exit');
    void worker.terminate();
    await lost;
    console.log('done');`,
    freshFile(),
    { flags },
  );
  expect(ended).toMatchObject({ code: 0, stdout: 'done\n', stderr: '' });
});

it('a listener of beforeExit may go on calling, and is asked again once that is committed', async () => {
  const ended = await runProgram(
    `const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await provider.ready();
    let calls = 0;
    process.on('beforeExit', () => {
      if (++calls > 2) return;
      provider.appendPatch(patchOf(calls), calls).catch(() => {});
    });
    process.on('exit', () => console.log(calls));`,
    freshFile(),
    { flags },
  );
  expect(ended).toMatchObject({ code: 0, stdout: '3\n', stderr: '' });
});
