/**
 * Keeps the figures of whole rigs in results.json, and puts them between the markers of docs/reliability.md.
 * `node torture/figures.ts` writes the page anew from what is kept.
 */
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
  const all = [...(await keptFigures()), ...outcomes.map((outcome) => ({ ...outcome, run }))];
  const found = new Map(all.map((one) => [one.name, one]));
  const kept = Object.keys(rigs).flatMap((name) => found.get(name) ?? []);
  await writeFile(results, `${JSON.stringify(kept, undefined, 2)}\n`);
  await writePage();
  return page;
}

export async function keptFigures(): Promise<Kept[]> {
  return JSON.parse(await readFile(results, 'utf8')) as Kept[];
}

async function writePage(): Promise<void> {
  await writeFile(page, pageWith(await readFile(page, 'utf8'), await keptFigures()));
}

/** The page as it is to be, with these figures. */
export function pageWith(text: string, kept: readonly Kept[]): string {
  const start = text.indexOf(START);
  const end = text.indexOf(END);
  if (start < 0 || end < start) throw new Error(`${page} has lost its markers`);
  return `${text.slice(0, start + START.length)}\n\n${figures(kept)}\n\n${text.slice(end)}`;
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
  const sections = Object.entries(rigs).map(([name, { what }]) => {
    const one = kept.find((each) => each.name === name);
    const told = one === undefined ? ['**Not run.**'] : toldOf(one, runs.indexOf(one.run) + 1);
    return [`### \`${name}\``, `${what[0]?.toUpperCase()}${what.slice(1)}.`, ...told].join('\n\n');
  });
  return [runs.map((run, index) => `${index + 1}. Run of ${run}.`).join('\n'), ...sections].join('\n\n');
}

function toldOf({ findings, seconds }: Kept, run: number): string[] {
  const { counts, violations, skipped } = findings;
  const tried = Object.entries(counts).map(([counted, count]) => `- ${count.toLocaleString('en')} ${counted}`);
  tried.push(...skipped.map((reason) => `- skipped: ${reason}`));
  return [tried.join('\n'), `**Promises not kept: ${violations.length}.** ${seconds.toFixed(0)} s, run ${run}.`];
}

if (import.meta.main) await writePage();
