/** `npm run torture`: runs the rigs, each in a process of its own, prints what they found, and keeps the figures. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { endsWithUs } from '../tests/support/ends-with-us.ts';
import { type Outcome, writeFigures } from './figures.ts';
import type { Findings } from './rig.ts';
import { type RigEntry, rigs } from './rigs.ts';

/** Room for the longest name. */
const COLUMN = 2 + Math.max(...Object.keys(rigs).map(({ length }) => length));
const QUICK_SCALE = 0.03;
const runRig = join(import.meta.dirname, 'run-rig.ts');

const help = `Breaks the package on purpose and compares what is left with what was promised.

  npm run torture                     all rigs, the whole
  npm run torture -- --quick          a small slice of each
  npm run torture -- --only NAME      one rig, or all whose names begin so (several: --only A,B)
  npm run torture -- --seed NUMBER    repeats a run's random choices
  npm run torture -- --publish        writes the figures of the rigs that ran; --only leaves those of others
  npm run torture -- --help

Rigs:
${Object.entries(rigs)
  .map(([name, { what }]) => `  ${name.padEnd(COLUMN)}${what}`)
  .join('\n')}

The exit code is 1 if a promise was not kept, 2 for bad arguments. Figures are kept in
torture/results.json, and written into docs/reliability.md; those of --quick are not.`;

// between two events, so never while a process is started and not yet bound to this one's end
for (const [signal, code] of [['SIGINT', 130] as const, ['SIGTERM', 143] as const]) {
  process.once(signal, () => process.exit(code));
}
const options = readArguments();
if (options === undefined) process.exit(2);
if (options.help) {
  console.log(help);
  process.exit(0);
}
const scale = options.quick ? QUICK_SCALE : 1;
console.log(`seed ${options.seed}${options.quick ? ', a small slice of each rig' : ''}`);
const outcomes: Outcome[] = [];
for (const [name, rig] of options.rigs) {
  process.stderr.write(`${name}: ${rig.what} …\n`);
  const outcome = await runApart(name, rig, options.seed);
  outcomes.push(outcome);
  print(outcome);
}
const failed = outcomes.filter(({ findings }) => findings.violations.length > 0);
if (options.publish && !options.quick) console.log(`figures written to ${await writeFigures(outcomes, options.seed)}`);
console.log(failed.length === 0 ? 'every promise was kept' : `not kept: ${failed.map(({ name }) => name).join(', ')}`);
process.exit(failed.length === 0 ? 0 : 1);

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: 'string' },
        only: { type: 'string' },
        quick: { type: 'boolean', default: false },
        publish: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
    if (!Number.isSafeInteger(seed) || seed < 0) throw new Error(`--seed must be a whole number, not '${values.seed}'`);
    const names = values.only?.split(',') ?? Object.keys(rigs);
    const chosen = names.flatMap((name) => {
      const named = Object.entries(rigs).filter(([each]) => each === name || each.startsWith(`${name}-`));
      if (named.length === 0) throw new Error(`there is no rig '${name}'; there are ${Object.keys(rigs).join(', ')}`);
      return named;
    });
    return { ...values, seed, rigs: chosen };
  } catch (error) {
    console.error((error as Error).message);
    return undefined;
  }
}

/** A rig that crashes its process, or hangs, has found something too. */
async function runApart(name: string, rig: RigEntry, seed: number): Promise<Outcome> {
  const start = performance.now();
  // lost patches are meant here, and counted; a warning for each file would hide everything else
  const flags = ['--disable-warning=SDS_CLOCK_COLLISION'];
  const rigProcess = spawn(process.execPath, [...flags, runRig, name, String(seed), String(scale)], {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    // a group of its own, with all the processes of the rig: it ends with this one, however that ends
    detached: true,
  });
  const release = endsWithUs(rigProcess.pid === undefined ? undefined : -rigProcess.pid, 'KILL');
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    rigProcess.kill('SIGKILL');
  }, rig.mostMinutes * 60_000);
  const exit = once(rigProcess, 'close');
  const written = rigProcess.stdio[3] as NodeJS.ReadableStream | null;
  const json = written === null ? '' : await text(written);
  const [code, signal] = (await exit) as [number | null, string | null];
  clearTimeout(timer);
  release();
  const seconds = (performance.now() - start) / 1000;
  if (json !== '' && code === 0) return { name, what: rig.what, seconds, findings: JSON.parse(json) as Findings };
  const end = late ? `took longer than ${rig.mostMinutes} minutes` : `ended with ${signal ?? `code ${code}`}`;
  return {
    name,
    what: rig.what,
    seconds,
    findings: { counts: {}, violations: [`the rig's process ${end}`], skipped: [] },
  };
}

function print({ name, seconds, findings }: Outcome): void {
  const { counts, violations, skipped } = findings;
  console.log(`${violations.length === 0 ? '✓' : '✗'} ${name}  (${seconds.toFixed(1)} s)`);
  for (const [what, count] of Object.entries(counts)) console.log(`    ${String(count).padStart(11)}  ${what}`);
  for (const reason of skipped) console.log(`    skipped: ${reason}`);
  for (const violation of violations) console.log(`    NOT KEPT: ${violation}`);
}
