/** An SQLite that can damage its log if several processes write to one file: once another one has written, a warning says so. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { freshFile } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

const oldNode = join(import.meta.dirname, '../nodes/node_modules/node-22.12/bin/node');

const write = (call: string, clock: number) => `await provider.${call.replaceAll('clock', String(clock))};`;

/** Writes, lets another process write unless it is to be alone, and writes again, twice. */
const program = (call: string, alone: boolean) => `
import { execFileSync } from 'node:child_process';
const provider = new SDS_DesktopPersistenceProvider(file, 'store', { Acknowledge: 'committed' });
if (process.argv[2] === 'other') {
  ${write(call, 3)}
} else {
  ${write(call, 1)}
  for (const round of [1, 2]) {
    if (!${alone}) execFileSync(process.execPath, [process.argv[1], 'other']);
    ${write(call, 2)}
  }
}
await provider.close();`;

const calls = {
  'a patch': "appendPatch(patchOf('clock'), clock)",
  'a large snapshot': 'saveSnapshot(new Uint8Array(300_000), clock)',
};

for (const [what, call] of Object.entries(calls)) {
  it(`${what}: told once, with the file and the version of SQLite`, async () => {
    const file = freshFile();
    const { stderr } = await runProgram(program(call, false), file, { node: oldNode });
    expect(stderr.match(/SDS_SQLITE_WAL_RESET/g)).toHaveLength(1);
    expect(stderr).toContain(`another process writes to '${file}', and SQLite 3.47.0, which is part of Node v22.12.0`);
  });

  it(`${what}: not told where no other process writes, nor by an SQLite without the fault`, async () => {
    const alone = await runProgram(program(call, true), freshFile(), { node: oldNode });
    const now = await runProgram(program(call, false), freshFile());
    for (const { code, stderr } of [alone, now]) {
      expect(stderr).not.toContain('SDS_SQLITE_WAL_RESET');
      expect(code).toBe(0);
    }
  });
}
