/** Deno and Bun keep what Node keeps; what differs is in docs/surroundings.md. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { installed, place, resultOf, run } from '../package/a-fresh-machine.ts';
import { operations } from './programs.ts';
import { describeRuntime } from './runtime-suite.ts';

const bin = (name: string) => join(import.meta.dirname, 'tools/node_modules/.bin', name);
const runDeno = (folder: string, permissions: string[], args: readonly string[]) =>
  run(bin('deno'), ['run', ...permissions, ...args], {
    cwd: folder,
    env: { DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' },
  });

describeRuntime({
  name: 'Deno',
  run: (folder, args) => runDeno(folder, ['--allow-all'], args),
  hasSignals: true,
});

it('with leave for its own folder, the environment and the system, Deno does all but give free space back', async () => {
  const folder = await installed();
  place(folder, 'program.mjs', operations);
  const permissions = [
    '--no-prompt',
    `--allow-read=${folder}`,
    `--allow-write=${folder}`,
    '--allow-env',
    '--allow-sys',
  ];
  expect(resultOf(await runDeno(folder, permissions, ['program.mjs']), 'program.mjs')).toEqual({
    backup: true,
    compactStore: true,
    describeDatabase: 1,
    compactDatabase: expect.stringContaining('too many attached databases'),
    verifyDatabase: true,
    backupDatabase: true,
    restoreDatabase: true,
    copyStores: 1,
  });
});

describeRuntime({
  name: 'Bun',
  run: (folder, args) => run(bin('bun'), args, { cwd: folder }),
  hasSignals: true,
});
