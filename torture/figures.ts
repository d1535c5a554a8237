/** Puts the figures of a whole run between the markers of docs/reliability.md. */
import { readFile, writeFile } from 'node:fs/promises';
import { cpus, release, type } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Findings } from './rig.ts';

export interface Outcome {
  name: string;
  what: string;
  seconds: number;
  findings: Findings;
}

const START = '<!-- figures: start -->';
const END = '<!-- figures: end -->';
const page = join(import.meta.dirname, '..', 'docs', 'reliability.md');

/** Returns the path of the page. */
export async function writeFigures(outcomes: readonly Outcome[], seed: number): Promise<string> {
  const text = await readFile(page, 'utf8');
  const start = text.indexOf(START);
  const end = text.indexOf(END);
  if (start < 0 || end < start) throw new Error(`${page} has lost its markers`);
  await writeFile(page, `${text.slice(0, start + START.length)}\n\n${figures(outcomes, seed)}\n\n${text.slice(end)}`);
  return page;
}

function figures(outcomes: readonly Outcome[], seed: number): string {
  const database = new DatabaseSync(':memory:');
  const sqlite = String(database.prepare('SELECT sqlite_version() AS version').get()?.version);
  database.close();
  const lines = [
    `Run of ${new Date().toISOString().slice(0, 10)}, seed ${seed}: Node ${process.version}, SQLite ${sqlite}, ` +
      `${type()} ${release()} on ${cpus().length} cores.`,
    '',
    '| what was broken | tried | not kept | seconds |',
    '|---|---|---|---|',
  ];
  for (const { what, seconds, findings } of outcomes) {
    const { counts, violations, skipped } = findings;
    const tried = Object.entries(counts).map(([name, count]) => `${count.toLocaleString('en')} ${name}`);
    tried.push(...skipped.map((reason) => `skipped: ${reason}`));
    lines.push(`| ${what} | ${tried.join('<br>')} | ${violations.length} | ${seconds.toFixed(0)} |`);
  }
  return lines.join('\n');
}
