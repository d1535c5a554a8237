/** A listener for new listeners runs while the package adds its own to the process. */
import { expect, it } from 'vitest';
import { freshFile } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

it('opens the same file: it is opened once, and what one of both has called, the other one sees', async () => {
  const program = `let inner;
process.on('newListener', () => {
  inner ??= new SDS_DesktopPersistenceProvider(file, 'store');
});
const outer = new SDS_DesktopPersistenceProvider(file, 'store');
const calls = [];
for (let clock = 1; clock <= 200; clock++) {
  void inner.appendPatch(patchOf(clock), clock);
  calls.push(outer.loadPatchesSince(clock - 1).then((patches) => patches.length));
}
console.log((await Promise.all(calls)).every((length) => length === 1), outer.statistics().Patches.Appended);
await Promise.all([inner.close(), outer.close()]);`;
  expect(await runProgram(program, freshFile())).toMatchObject({ code: 0, stderr: '', stdout: 'true 200\n' });
});
