/** Puts the contract into a folder in which the package is installed, for a framework of tests. */
import { join } from 'node:path';
import { build } from 'esbuild';
import { extensionOf, type ModuleFormat } from '../../package/an-application.ts';

const standIns = {
  nothing: 'in/nothing.ts',
  jest: 'in/jest.ts',
  mocha: 'in/mocha.ts',
  'node:test': 'in/node-test.ts',
  ava: 'in/ava.mjs',
  vitest: undefined,
};
export type Framework = keyof typeof standIns;

/** As many as there are at least, so that none passes by running none. */
export const MOST_OF_THE_CONTRACT = 40;

/** @returns the name of the file */
export async function placeContract(folder: string, framework: Framework, format: ModuleFormat): Promise<string> {
  const name = `contract.test.${extensionOf[format]}`;
  const standIn = standIns[framework];
  await build({
    entryPoints: [join(import.meta.dirname, 'the-contract.ts')],
    outfile: join(folder, name),
    bundle: true,
    platform: 'node',
    format,
    external: ['sds-persistence-worker', 'vitest', 'ava'],
    logLevel: 'warning',
    ...(standIn === undefined ? {} : { alias: { vitest: join(import.meta.dirname, standIn) } }),
  });
  return name;
}
