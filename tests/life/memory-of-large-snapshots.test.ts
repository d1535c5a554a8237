/** The memory that large snapshots are copied into is used again, and given back when there is no more use for it. */
import { expect, it } from 'vitest';
import { freshFile } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

const MB = 1_000_000;

it('large snapshots, one after the other, share their memory, and a quiet program gets it back', async () => {
  const { code, stdout, stderr } = await runProgram(
    `import { setTimeout as pause } from 'node:timers/promises';
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    const snapshot = new Uint8Array(64 * 1024 * 1024).fill(1);
    await provider.ready();
    const before = process.memoryUsage.rss();
    const grown = () => process.memoryUsage.rss() - before;
    for (let i = 0; i < 6; i++) await provider.saveSnapshot(snapshot);
    console.log(grown());
    // nothing tells that memory came back: look, until the test's time is over
    while (grown() > 32_000_000) await pause(200);
    console.log('given back');
    snapshot[0] = 2; // it is the program's own, and was there all the time
    await provider.close();`,
    freshFile(),
    { flags: ['--disable-warning=ExperimentalWarning'] },
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const [grown, end] = stdout.trim().split('\n');
  expect(Number(grown), 'six snapshots of 67 MB').toBeLessThan(120 * MB);
  expect(end).toBe('given back');
});
