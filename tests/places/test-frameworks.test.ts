/** In a framework of tests the package keeps the contract, whatever the clocks do, and the framework ends by itself. */
import { mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { type Ended, installed, place, runNode } from '../package/a-fresh-machine.ts';
import { extensionOf, importing, type ModuleFormat } from '../package/an-application.ts';
import { rowsOf } from '../support/rows.ts';
import { type Framework, MOST_OF_THE_CONTRACT, placeContract } from './contract/place-contract.ts';

const root = join(import.meta.dirname, '../..');
const ours = join(import.meta.dirname, 'tools/node_modules');

interface Place {
  framework: Exclude<Framework, 'nothing'>;
  format: ModuleFormat;
  /** Of the program that runs the tests. */
  args: string[];
  /** A module that tests import, from where it lies. */
  needs?: string;
  /** The settings' file and what stands in it. */
  settings?: [string, string];
  /** What to look for in its report: how many tests have passed. */
  passed: RegExp;
  /** Declares a test, given by the text of an async function. */
  declare(test: string): string;
  /** Stops the clocks. */
  stop: string;
  /** Has them go on. */
  goOn: string;
}

const jest = (environment: string, fakeTimers = ''): Place => ({
  framework: 'jest',
  format: 'cjs',
  args: [join(ours, 'jest/bin/jest.js')],
  settings: [
    'jest.config.json',
    JSON.stringify({
      testEnvironment: join(ours, environment),
      testMatch: ['**/*.test.cjs'],
      moduleFileExtensions: ['cjs', 'js', 'json'],
      testTimeout: 180_000,
      // what jsdom leaves out, as its users put it back
      setupFiles: ['<rootDir>/setup.cjs'],
    }),
  ],
  passed: /^Tests: +(\d+) passed, \1 total$/m,
  declare: (test) => `test('with clocks that stand still', ${test});`,
  stop: `jest.useFakeTimers(${fakeTimers});`,
  goOn: 'jest.useRealTimers();',
});

const vitest = (pool: string): Place => ({
  framework: 'vitest',
  format: 'esm',
  args: [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--pool', pool],
  needs: join(root, 'node_modules/vitest'),
  settings: ['vitest.config.mjs', "export default { test: { include: ['*.test.mjs'], testTimeout: 180_000 } };"],
  passed: /^ +Tests +(\d+) passed \(\1\)$/m,
  declare: (test) => `import { it, vi } from 'vitest';\nit('with clocks that stand still', ${test});`,
  stop: 'vi.useFakeTimers();',
  goOn: 'vi.useRealTimers();',
});

const sinon = {
  needs: join(root, 'node_modules/@sinonjs/fake-timers'),
  stop: 'const clock = install();',
  goOn: 'clock.uninstall();',
};
const sinonImport = "import { install } from '@sinonjs/fake-timers';";

const places: Record<string, Place> = {
  'Jest, for Node': jest('jest-environment-node'),
  'Jest, for jsdom': jest('jest-environment-jsdom'),
  'Vitest, in processes': vitest('forks'),
  'Vitest, in threads': vitest('threads'),
  'Vitest, in realms of processes': vitest('vmForks'),
  'Vitest, in realms of threads': vitest('vmThreads'),
  'node:test': {
    framework: 'node:test',
    format: 'esm',
    args: ['--test', '--test-reporter=tap'],
    passed: /^# pass (\d+)\n# fail 0\n# cancelled 0$/m,
    declare: (test) => `import { mock, test } from 'node:test';\ntest('with clocks that stand still', ${test});`,
    stop: 'mock.timers.enable();',
    goOn: 'mock.timers.reset();',
  },
  Mocha: {
    ...sinon,
    framework: 'mocha',
    format: 'esm',
    args: [join(ours, 'mocha/bin/mocha.js'), '--timeout=180000', '*.test.mjs'],
    passed: /^ +(\d+) passing/m,
    declare: (test) => `${sinonImport}\nit('with clocks that stand still', ${test});`,
  },
  AVA: {
    ...sinon,
    framework: 'ava',
    format: 'esm',
    args: [join(ours, 'ava/entrypoints/cli.mjs'), '--timeout=3m', '*.test.mjs'],
    passed: /^ +(\d+) tests passed$/m,
    declare: (test) =>
      `${sinonImport}\nimport test from 'ava';\ntest('with clocks that stand still', (assertions) => (${test})().then(() => assertions.pass()));`,
  },
};

/** Stores two patches while the clocks stand still, and closes nothing: no thread of ours keeps the framework from its end. */
const withClocks = ({
  format,
  declare,
  stop,
  goOn,
}: Place) => `${importing(format, 'SDS_DesktopPersistenceProvider, verifyDatabase', 'sds-persistence-worker')}
${declare(`async () => {
  ${stop}
  try {
    const provider = new SDS_DesktopPersistenceProvider('clocks.db', 'store');
    await provider.appendPatch(new Uint8Array(3), 1);
    provider.appendPatch(new Uint8Array(3), 2).catch(() => {});
    if (!provider.flushSync(60_000)) throw new Error('not flushed');
    await provider.saveSnapshot(new Uint8Array(300_000), 0);
    const patches = await provider.loadPatchesSince(0);
    if (patches.length !== 2) throw new Error(patches.length + ' patches');
    if (!(await verifyDatabase('clocks.db')).Sound) throw new Error('not sound');
  } finally {
    ${goOn}
  }
}`)}
`;

const setup = `const util = require('node:util');
globalThis.TextEncoder ??= util.TextEncoder;
globalThis.TextDecoder ??= util.TextDecoder;
`;

async function folderFor({ framework, needs, settings }: Place): Promise<string> {
  const folder = await installed();
  if (settings !== undefined) place(folder, ...settings);
  if (framework === 'jest') place(folder, 'setup.cjs', setup);
  const modules = [needs, framework === 'ava' ? join(ours, 'ava') : undefined];
  for (const path of modules) {
    if (path === undefined) continue;
    const target = join(folder, path.slice(path.lastIndexOf('node_modules')));
    mkdirSync(dirname(target), { recursive: true });
    symlinkSync(path, target);
  }
  return folder;
}

/** How many tests have passed, where none has failed; else all that was said. */
function passedIn({ exitCode, stdout, stderr }: Ended, { passed }: Place): number {
  const all = stripVTControlCharacters(`${stdout}\n${stderr}`);
  const count = passed.exec(all)?.[1];
  // Jest says that it has to end a process, or waits
  if (exitCode !== 0 || count === undefined || /did not exit|failed to exit/.test(all)) throw new Error(all);
  return Number(count);
}

describe.each(Object.entries(places))('%s', (_, here) => {
  it('keeps the contract, also with clocks that stand still, and ends by itself', async () => {
    const folder = await folderFor(here);
    await placeContract(folder, here.framework, here.format);
    place(folder, `clocks.test.${extensionOf[here.format]}`, withClocks(here));
    expect(passedIn(await runNode(here.args, { cwd: folder }), here)).toBeGreaterThan(MOST_OF_THE_CONTRACT);
    expect(rowsOf(join(folder, 'clocks.db'))).toMatchObject({ patches: [{ clock: 1 }, { clock: 2 }], snapshots: [{}] });
  });
});

it('in Jest with its older timers it goes on as well', async () => {
  const here = jest('jest-environment-node', '{ legacyFakeTimers: true }');
  const folder = await folderFor(here);
  place(folder, 'clocks.test.cjs', withClocks(here));
  expect(passedIn(await runNode(here.args, { cwd: folder }), here)).toBe(1);
});

it('of what was closed, Jest finds no handle that is open', async () => {
  const here = jest('jest-environment-node');
  const folder = await folderFor(here);
  const test = `const { SDS_DesktopPersistenceProvider, verifyDatabase } = require('sds-persistence-worker');
const { MergedDocuments } = require('sds-persistence-worker/merged-documents');
${here.declare(`async () => {
  const provider = new SDS_DesktopPersistenceProvider('closed.db', 'store');
  await provider.appendPatch(new Uint8Array(3), 1);
  await provider.close();
  await verifyDatabase('closed.db');
  const merge = 'data:text/javascript,export const merge = (parts) => Buffer.concat(parts)';
  const documents = new MergedDocuments('closed.db', { merge });
  documents.append('one', new Uint8Array(3));
  documents.append('one', new Uint8Array(3));
  await documents.compact('one');
  await documents.destroy();
}`)}`;
  place(folder, 'closed.test.cjs', test);
  const ended = await runNode([...here.args, '--detectOpenHandles'], { cwd: folder });
  expect(passedIn(ended, here)).toBe(1);
  expect(ended.stderr).not.toContain('open handle');
});
