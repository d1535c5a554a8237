/**
 * Writes what the pages show from the output of a run: `node bench/publish.ts [FILE]` takes
 * `bench/results.json` unless told otherwise. Numbers stand between markers and nowhere else.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fillIn } from './fill-in.ts';
import { lastingLine, machineLine } from './machine.ts';
import { markdown } from './markdown.ts';
import { type Explanations, missedGoals } from './missed.ts';
import { drawPacedPicture } from './paced-picture.ts';
import { writePages } from './pages.ts';
import { drawPicture } from './picture.ts';
import { judge, type Results } from './results.ts';
import { publishScale } from './scale.ts';
import { summaryRows } from './summary.ts';
import { digits } from './table.ts';

const readme = join(import.meta.dirname, 'README.md');
const projectReadme = join(import.meta.dirname, '../README.md');
const guarantees = join(import.meta.dirname, '../docs/guarantees.md');
export const publishedResults = join(import.meta.dirname, 'results.json');

function explanationsMade(): Explanations {
  return JSON.parse(readFileSync(join(import.meta.dirname, 'explanations.json'), 'utf8')) as Explanations;
}

/** What the first screen of the project says: where the package is faster, and where it is not. */
function frontFigures({ scenarios }: Results): string {
  const figure = (scenario: string, name: string, metric: string) => {
    const value = scenarios.find((one) => one.name === scenario)?.medians[name]?.[metric];
    return digits(value ?? Number.NaN);
  };
  const both = (scenario: string, metric: string, unit: string) =>
    `**${figure(scenario, 'provider', metric)} ${unit}** instead of ${figure(scenario, 'reference', metric)}`;
  return [
    `- At 1,000 patches a second, as a server gets them, a patch costs the main thread ${both('paced', 'mainUs at 1000', 'µs')}.`,
    `- A snapshot of 64 MB holds the event loop up for ${both('snapshot', 'blockedMs', 'ms')}.`,
    `- A single call that is awaited takes ${both('one', 'p50Us', 'µs')}: two threads have to be woken.`,
  ].join('\n');
}

/** Resident memory of whole processes. */
function memoryTable({ scenarios }: Results): string {
  const medians = scenarios.find(({ name }) => name === 'memory')?.medians ?? {};
  const size = (name: string, metric: string) => `${digits(medians[name]?.[metric] ?? Number.NaN)} MiB`;
  return markdown([
    ['a process', 'this package', 'synchronous'],
    ['with one file, idle', size('provider', 'idleMiB'), size('reference', 'idleMiB')],
    ['with two files, idle', size('provider-two-files', 'idleMiB'), '–'],
    [
      'after a burst of 500,000 patches and 10 s of quiet',
      size('provider', 'afterBurstMiB'),
      size('reference', 'afterBurstMiB'),
    ],
  ]);
}

export function publish(file: string): void {
  const measured = JSON.parse(readFileSync(file, 'utf8')) as Results;
  const results: Results = { ...measured, goals: judge(measured.scenarios) };
  // goals may have changed since they were judged
  if (file === publishedResults) writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`);
  const explanations = explanationsMade();
  let text = readFileSync(readme, 'utf8');
  text = fillIn(text, 'machine', `Measured on: ${lastingLine(machineLine(results.machine))}.`);
  text = fillIn(text, 'summary', markdown(summaryRows(results)));
  text = fillIn(text, 'missed', missedGoals(results, explanations));
  writeFileSync(readme, text);
  writePages(results, explanations);
  writeFileSync(projectReadme, fillIn(readFileSync(projectReadme, 'utf8'), 'figures', frontFigures(results)));
  writeFileSync(guarantees, fillIn(readFileSync(guarantees, 'utf8'), 'memory', memoryTable(results)));
  if (file === publishedResults) publishScale();
  const picture = drawPicture(results);
  const docs = join(import.meta.dirname, '../docs');
  mkdirSync(docs, { recursive: true });
  if (picture !== undefined) writeFileSync(join(docs, 'benchmark.svg'), picture);
  const paced = drawPacedPicture(results);
  if (paced !== undefined) writeFileSync(join(docs, 'paced.svg'), paced);
}

if (import.meta.main) publish(process.argv[2] ?? publishedResults);
