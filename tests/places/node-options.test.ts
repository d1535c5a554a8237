/** Options that servers are run with, on the command line and in the environment: no flag of the program stands in the way of the workers. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { installed, nodes, place, resultOf, runNode } from '../package/a-fresh-machine.ts';
import { application, wholeJourney } from '../package/an-application.ts';

/** Several at a time, where they do not bear on each other. */
const everywhere = [
  '--enable-source-maps --stack-trace-limit=50 --max-old-space-size=512 --max-semi-space-size=16 ' +
    '--trace-warnings --trace-uncaught --unhandled-rejections=strict --pending-deprecation',
  '--no-addons --force-context-aware --preserve-symlinks --preserve-symlinks-main --conditions=development -C production ' +
    '--zero-fill-buffers --dns-result-order=ipv4first --max-http-header-size=32768 ' +
    '--heapsnapshot-near-heap-limit=1 --report-on-fatalerror --report-uncaught-exception --abort-on-uncaught-exception',
  '--disallow-code-generation-from-strings --disable-proto=throw',
  '--disable-proto=delete --import=data:text/javascript,globalThis.preloaded=true --experimental-vm-modules --no-warnings',
  '--frozen-intrinsics --no-warnings',
];

const since24 = ['--cpu-prof --cpu-prof-dir=profiles', '--experimental-transform-types --no-warnings --trace-sigint'];

const runs = [
  ...everywhere.flatMap((options) => [
    ['22.5', options],
    ['24', options],
  ]),
  ...since24.map((options) => ['24', options]),
] as [keyof typeof nodes, string][];

it.each(runs)('Node %s %s', async (version, options) => {
  const folder = await installed();
  mkdirSync(join(folder, 'profiles'));
  place(folder, 'main.mjs', application('esm'));
  const node = nodes[version];
  const given = await runNode([...options.split(' '), 'main.mjs', 'one.db'], { cwd: folder, node });
  expect(resultOf(given, 'main.mjs')).toEqual(wholeJourney);
  const env = { NODE_OPTIONS: options };
  const inherited = await runNode(['main.mjs', 'two.db'], { cwd: folder, node, env });
  expect(resultOf(inherited, 'main.mjs')).toEqual(wholeJourney);
});
