/** Keeps the figures of whole rigs in results.json, and puts them between the markers of docs/reliability.md. */
import { readFile, writeFile } from 'node:fs/promises';
import { cpus, release, type } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Findings } from './rig.ts';
import { rigs } from './rigs.ts';

export interface Outcome {
  name: string;
  what: string;
  seconds: number;
  findings: Findings;
}

/** An outcome, and of which run it is. */
interface Kept extends Outcome {
  run: string;
}

const START = '<!-- figures: start -->';
const END = '<!-- figures: end -->';
const page = join(import.meta.dirname, '..', 'docs', 'reliability.md');
const results = join(import.meta.dirname, 'results.json');

/** Of rigs that did not run, what is known of them stays. Returns the path of the page. */
export async function writeFigures(outcomes: readonly Outcome[], seed: number): Promise<string> {
  const run = describeRun(seed);
  const before = JSON.parse(await readFile(results, 'utf8')) as Kept[];
  const found = new Map([...before, ...outcomes.map((outcome) => ({ ...outcome, run }))].map((one) => [one.name, one]));
  const kept = Object.keys(rigs).flatMap((name) => found.get(name) ?? []);
  await writeFile(results, `${JSON.stringify(kept, undefined, 2)}\n`);
  const text = await readFile(page, 'utf8');
  const start = text.indexOf(START);
  const end = text.indexOf(END);
  if (start < 0 || end < start) throw new Error(`${page} has lost its markers`);
  await writeFile(page, `${text.slice(0, start + START.length)}\n\n${figures(kept)}\n\n${text.slice(end)}`);
  return page;
}

function describeRun(seed: number): string {
  const database = new DatabaseSync(':memory:');
  const sqlite = String(database.prepare('SELECT sqlite_version() AS version').get()?.version);
  database.close();
  const date = new Date().toISOString().slice(0, 10);
  return `${date}, seed ${seed}: Node ${process.version}, SQLite ${sqlite}, ${type()} ${release()} on ${cpus().length} cores`;
}

function figures(kept: readonly Kept[]): string {
  const runs = [...new Set(kept.map(({ run }) => run))];
  const lines = [
    ...runs.map((run, index) => `${index + 1}. Run of ${run}.`),
    '',
    '| what was broken | tried | not kept | seconds | run |',
    '|---|---|---|---|---|',
  ];
  for (const { what, seconds, findings, run } of kept) {
    const { counts, violations, skipped } = findings;
    const tried = Object.entries(counts).map(([name, count]) => `${count.toLocaleString('en')} ${name}`);
    tried.push(...skipped.map((reason) => `skipped: ${reason}`));
    const row = [what, tried.join('<br>'), violations.length, seconds.toFixed(0), runs.indexOf(run) + 1];
    lines.push(`| ${row.join(' | ')} |`);
  }
  return lines.join('\n');
}
