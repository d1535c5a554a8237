/** Installed by pnpm, in its folder of links, and by Yarn, which reads packages out of archives (PnP). */
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { type Ended, place, resultOf, runNode } from '../package/a-fresh-machine.ts';
import { application, extensionOf, wholeJourney } from '../package/an-application.ts';
import { freshFolder } from '../support/files.ts';

const tools = join(import.meta.dirname, 'tools/node_modules');

interface Manager {
  program: string;
  settings?: [string, string][];
  /** Of its command that adds the package. */
  add: string[];
  /** What runs a program with what is installed at hand. */
  run: string[];
  /** And a command of the package. */
  exec: string[];
}

const managers: Record<string, Manager> = {
  pnpm: { program: join(tools, 'pnpm/bin/pnpm.cjs'), add: ['add', '--offline'], run: ['node'], exec: ['exec'] },
  'Yarn, with PnP': {
    program: join(tools, '@yarnpkg/cli-dist/bin/yarn.js'),
    settings: [
      ['yarn.lock', ''], // the project ends here
      ['.yarnrc.yml', 'nodeLinker: pnp\nenableGlobalCache: false\nenableNetwork: false\nenableTelemetry: false\n'],
    ],
    add: ['add'],
    run: ['node'],
    exec: [],
  },
};

function wellEnded(ended: Ended): Ended {
  if (ended.exitCode !== 0) throw new Error(`${ended.stdout}\n${ended.stderr}`);
  return ended;
}

describe.each(Object.entries(managers))('%s', (_, { program, settings = [], add, run, exec }) => {
  it('installs the package: applications and the command line run', async () => {
    const folder = freshFolder();
    const call = (...args: string[]) => runNode([program, ...args], { cwd: folder });
    place(folder, 'package.json', JSON.stringify({ name: 'an-application', version: '1.0.0' }));
    for (const [name, text] of settings) place(folder, name, text);
    wellEnded(await call(...add, `sds-persistence-worker@file:${inject('tarball')}`));
    for (const format of ['esm', 'cjs'] as const) {
      const main = `main.${extensionOf[format]}`;
      place(folder, main, application(format));
      expect(resultOf(await call(...run, main, `${format}.db`), main)).toEqual(wholeJourney);
    }
    expect(wellEnded(await call(...exec, 'sds-persistence-worker', 'verify', 'esm.db')).stdout).toMatch(
      /^esm\.db: sound/,
    );
  });
});
