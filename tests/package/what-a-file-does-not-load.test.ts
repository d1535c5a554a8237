/** A program that only has files: what is for PostgreSQL, and for whole files, stays packed. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { freshFile } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

/** Unpacking takes Node's `zlib`, which nothing else of the package asks for; Node lists what it has loaded. */
const unpacked = `const unpacked = () => process.moduleLoadList.includes('NativeModule zlib');`;

it('opening and writing a file unpacks nothing; the first database on a server does', async () => {
  const { stdout, stderr } = await runProgram(
    `${unpacked}
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', { VerifyValues: true });
    await provider.appendPatch(patchOf(1), 1);
    await provider.saveSnapshot(new Uint8Array(300_000), 1);
    await provider.loadPatchesSince(0);
    const forFiles = unpacked();
    await provider.close();
    const other = new SDS_DesktopPersistenceProvider('postgres://127.0.0.1:1/any', 'store', { RetryForMs: 0 });
    await other.close();
    console.log(JSON.stringify({ forFiles, forServers: unpacked() }));`,
    freshFile(),
  );
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({ forFiles: false, forServers: true });
});

it('importing the package has Node compile nothing that a program with files never needs', () => {
  const program = `const before = new Set(process.moduleLoadList);
    await import('sds-persistence-worker');
    console.log(process.moduleLoadList.filter((module) => !before.has(module)).join());`;
  const loaded = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  expect(loaded, 'or Node does not tell').toContain('NativeModule worker_threads');
  for (const name of ['crypto', 'readline', 'fs/promises', 'zlib', 'parse_args']) expect(loaded).not.toContain(name);
});

it('the code of a worker for files is compiled once, whatever options Node has', () => {
  const file = freshFile();
  const log = join(dirname(file), 'functions.log');
  const options = ['--log-function-events', '--no-logfile-per-isolate', `--logfile=${log}`];
  const program = `const { SDS_DesktopPersistenceProvider } = require('sds-persistence-worker');
    const provider = new SDS_DesktopPersistenceProvider(${JSON.stringify(file)}, 'store');
    provider.ready().then(() => provider.close());`;
  execFileSync(process.execPath, [...options, '-e', program]);
  const lines = readFileSync(log, 'utf8').split('\n');
  const scripts = lines.flatMap(
    (line) => /^script-details,(\d+),\[(?:worker eval|sds-persistence-worker)\],/.exec(line)?.[1] ?? [],
  );
  const functionsOf = (script: string) =>
    lines.filter((line) => line.startsWith('function,') && line.split(',')[2] === script);
  expect(scripts.map((script) => functionsOf(script).length).filter((count) => count > 50)).toHaveLength(1);
});
