/** Calls made where the stack is nearly full, as at the end of an endless recursion that the program catches. */
import { expect, it } from 'vitest';
import { freshFile } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

it('patches that are appended until the stack is full: what is called later is stored, and the process ends', async () => {
  const { stdout, stderr } = await runProgram(
    `const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    const other = new SDS_DesktopPersistenceProvider(file, 'other');
    const bytes = new Uint8Array(17_000); // too large for a batch that is shared from its first call on
    let clock = 0;
    let deepest = 0;
    function recur(level, from) {
      deepest = level;
      if (level >= from) provider.appendPatch(bytes, ++clock).catch(() => {});
      recur(level + 1, from);
    }
    const untilFull = (from) => {
      try {
        recur(0, from);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    };
    for (let left = 0; left < 120; left++) {
      untilFull(Infinity);
      untilFull(deepest - left);
      clock++;
      await Promise.all([provider.appendPatch(patchOf(1), clock), other.appendPatch(patchOf(1), clock)]);
    }
    await Promise.all([provider.close(), other.close()]);
    console.log('closed');`,
    freshFile(),
  );
  expect({ stdout, stderr }).toEqual({ stdout: 'closed\n', stderr: '' });
});
