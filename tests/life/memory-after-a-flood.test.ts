/** The memory that a flood of patches waits in goes back to the system once all is quiet, and what comes then is stored. */
import { expect, it } from 'vitest';
import { freshFile } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

const MB = 1_000_000;

it('a flood of patches leaves no swollen arena behind', async () => {
  const { code, stdout, stderr } = await runProgram(
    `import { setTimeout as pause } from 'node:timers/promises';
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await provider.ready();
    const before = process.memoryUsage.rss();
    const grown = () => process.memoryUsage.rss() - before;
    const patch = new Uint8Array(200);
    for (let clock = 1; clock <= 400_000; clock++) void provider.appendPatch(patch, clock);
    await provider.flush();
    console.log(grown());
    // nothing tells that memory came back: look, until the test's time is over
    while (grown() > 30_000_000) await pause(200);
    for (let clock = 400_001; clock <= 500_000; clock++) void provider.appendPatch(patch, clock);
    console.log((await provider.loadPatchesSince(0)).length);
    await provider.close();`,
    freshFile(),
    { flags: ['--disable-warning=ExperimentalWarning'] },
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const [grown, stored] = stdout.trim().split('\n').map(Number);
  expect(grown, 'while the flood was there').toBeGreaterThan(30 * MB);
  expect(stored).toBe(500_000);
});
