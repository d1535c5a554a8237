/** The installed package on every Node from the oldest on: no flag, no warning, however the program is started. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { placeContract } from '../places/contract/place-contract.ts';
import { freshFolder } from '../support/files.ts';
import { installed, nodes, place, resultOf, run, runNode } from './a-fresh-machine.ts';
import { application, wholeJourney } from './an-application.ts';

it('the tests run on Node 24 or later, also where the machine’s own is older', () => {
  expect(Number.parseInt(process.versions.node, 10)).toBeGreaterThanOrEqual(24);
});

it('the contract asks nothing of a runtime that one of them lacks', async () => {
  const folder = freshFolder();
  const contract = readFileSync(join(folder, await placeContract(folder, 'nothing', 'esm')), 'utf8');
  // what it needs beside the package; `npm run test:places` runs it
  const imports = new Set([...contract.matchAll(/^import .* from "(.+)";$/gm)].map(([, name]) => name));
  expect(imports).toContain('node:fs');
  expect(imports).not.toContain('node:sqlite');
});

describe.each(Object.entries(nodes))('on Node %s', (version, node) => {
  it('is that version', async () => {
    const { stdout } = await run(node, ['--version'], { cwd: import.meta.dirname });
    expect(stdout).toMatch(new RegExp(`^v${version.replace('.', '\\.')}\\.`));
  });

  it.each([
    ['import', []],
    ['require', []],
    ['import', ['--enable-source-maps']],
    ['require', ['--max-old-space-size=256', '--stack-trace-limit=20']],
    ['import', ['--throw-deprecation']],
  ] as ['import' | 'require', string[]][])(
    'works through %s, started with %j, and says nothing',
    async (way, options) => {
      const folder = await installed();
      const program =
        way === 'import'
          ? place(folder, 'main.mjs', application('esm'))
          : place(folder, 'main.cjs', application('cjs'));
      const asArguments = await runNode([...options, program, join(folder, 'one.db')], { cwd: folder, node });
      expect(resultOf(asArguments, program)).toEqual(wholeJourney);
      // closed by the program: nothing is left beside the database
      expect(readdirSync(folder).filter((name) => name.startsWith('one.db'))).toEqual(['one.db']);
      if (options.length === 0) return;
      const env = { NODE_OPTIONS: options.join(' ') };
      const asEnvironment = await runNode([program, join(folder, 'two.db')], { cwd: folder, node, env });
      expect(resultOf(asEnvironment, program)).toEqual(wholeJourney);
    },
  );

  it.each([
    ['--input-type=module', 'esm'],
    ['--input-type=commonjs', 'cjs'],
  ] as const)('works as text on the command line, %s', async (inputType, format) => {
    const folder = await installed();
    const text = application(format);
    const asArgument = await runNode([inputType, '--eval', text, join(folder, 'one.db')], { cwd: folder, node });
    expect(resultOf(asArgument, '--eval')).toEqual(wholeJourney);
    const env = { NODE_OPTIONS: inputType };
    const asEnvironment = await runNode(['--eval', text, join(folder, 'two.db')], { cwd: folder, node, env });
    expect(resultOf(asEnvironment, '--eval')).toEqual(wholeJourney);
  });

  it('works beside modules that are loaded before the program', async () => {
    const folder = await installed();
    const program = place(folder, 'main.mjs', application('esm'));
    const preloaded = place(folder, 'preloaded.cjs', 'globalThis.preloaded = true;');
    const ended = await runNode(['--require', preloaded, program, join(folder, 'one.db')], { cwd: folder, node });
    expect(resultOf(ended, program)).toEqual(wholeJourney);
  });

  it('and they are loaded before a module that merges documents', async () => {
    const folder = await installed();
    place(folder, 'merge.mjs', 'export const merge = (parts) => Buffer.from(globalThis.preloaded + parts.length);');
    const program = place(
      folder,
      'main.mjs',
      `import { MergedDocuments } from 'sds-persistence-worker/merged-documents';
const documents = new MergedDocuments('one.db', { merge: new URL('merge.mjs', import.meta.url) });
for (const update of [new Uint8Array(1), new Uint8Array(1)]) documents.append('one', update);
await documents.compact('one');
console.log(JSON.stringify(String(Buffer.concat(await documents.load('one')))));
await documents.destroy();`,
    );
    const preloaded = place(folder, 'preloaded.cjs', "globalThis.preloaded = 'preloaded, ';");
    const ended = await runNode(['--require', preloaded, program], { cwd: folder, node });
    expect(resultOf(ended, program)).toBe('preloaded, 2');
    // without options there are none either, with which the module may start programs of its own
    place(folder, 'merge.mjs', 'export const merge = () => Buffer.from(process.execArgv.join());');
    expect(resultOf(await runNode([program], { cwd: folder, node }), program)).toBe('');
  });
});
