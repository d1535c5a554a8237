/**
 * `npm run swap`: what the sync engine of the family relies on, on the synchronous provider and on this one, made as the
 * drop-in is, with two arguments; and on this one with `Acknowledge: 'committed'`. Each run in a process of its own.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Side, Trial } from './trial.ts';

const run = (program: string, ...args: string[]) =>
  Number(execFileSync(process.execPath, ['--no-warnings', join(import.meta.dirname, program), ...args]).toString());

const RUNS = 10;
const columns: readonly Side[] = ['synchronous', 'this provider', "Acknowledge: 'committed'"];
const rows: readonly { what: string; trial: Trial }[] = [
  { what: 'ended by process.exit(), document of 4 MB: runs with lost edits', trial: { name: 'exit' } },
  { what: 'tool calls at once, 3: entries lost', trial: { name: 'calls', calls: 3 } },
  { what: 'tool calls at once, 5: entries lost', trial: { name: 'calls', calls: 5 } },
  { what: 'tool calls at once, 20: entries lost', trial: { name: 'calls', calls: 20 } },
  { what: 'a value rewritten every turn: runs that delete another’s', trial: { name: 'values', everyMs: 0 } },
  { what: 'the same: values left that nothing refers to, of 50', trial: { name: 'left-over', everyMs: 0 } },
  { what: 'a value rewritten every 5 ms: values left, of 50', trial: { name: 'left-over', everyMs: 5 } },
  { what: 'checkpoints due in 400 edits, one a turn, 4 MB', trial: { name: 'due' } },
  { what: 'checkpoints written', trial: { name: 'written' } },
  { what: 'longest turn meanwhile, ms', trial: { name: 'longest' } },
  { what: 'a short command, whole process, ms', trial: { name: 'command' } },
  { what: 'a short command, largest resident memory, MB', trial: { name: 'memory' } },
];

const folder = mkdtempSync(join(tmpdir(), 'sds-swap-'));
let files = 0;
const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
console.log(line([`${RUNS} runs each`, ...columns]));
console.log(line(['---', ...columns.map(() => '---:')]));
try {
  for (const { what, trial } of rows) console.log(line([what, ...columns.map((side) => cellOf(side, trial))]));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Sums, but of times and of what is the same each time the median. */
function cellOf(side: Side, trial: Trial): string {
  const results = Array.from({ length: RUNS }, () => resultOf(side, trial));
  const isCount = ['exit', 'calls', 'values'].includes(trial.name);
  if (!isCount) return String(results.sort((a, b) => a - b)[RUNS >> 1]);
  const sum = results.reduce((a, b) => a + b, 0);
  return `${sum} of ${RUNS * (trial.calls ?? 1)}`;
}

function resultOf(side: Side, trial: Trial): number {
  const path = join(folder, `${++files}.db`);
  if (trial.name === 'command' || trial.name === 'memory') {
    const begunAt = performance.now();
    const megabytes = run('command.ts', side, path);
    return trial.name === 'memory' ? megabytes : Math.round(performance.now() - begunAt);
  }
  const result = run('trial.ts', JSON.stringify({ side, path, trial }));
  if (trial.name !== 'exit') return result;
  return run('trial.ts', JSON.stringify({ side, path, trial: { name: 'left', called: result } }));
}
