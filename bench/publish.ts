/**
 * Writes what the READMEs show from the output of a run: `node bench/publish.ts [FILE]` takes
 * `bench/results.json` unless told otherwise. Numbers stand between markers and nowhere else.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drivers } from './drivers/index.ts';
import { machineLine } from './machine.ts';
import { drawPacedPicture } from './paced-picture.ts';
import { drawPicture } from './picture.ts';
import type { Results } from './results.ts';
import { goalRows, markdown, rowsOf, titleOf } from './table.ts';

const readme = join(import.meta.dirname, 'README.md');
const projectReadme = join(import.meta.dirname, '../README.md');
export const publishedResults = join(import.meta.dirname, 'results.json');

function explanations(): Record<string, string> {
  return JSON.parse(readFileSync(join(import.meta.dirname, 'explanations.json'), 'utf8')) as Record<string, string>;
}

function fillIn(text: string, name: string, content: string): string {
  const pattern = new RegExp(`(<!-- ${name}: generated -->\\n)[\\s\\S]*?(<!-- end -->)`);
  if (!pattern.test(text)) throw new Error(`a README has no place for '${name}'`);
  return text.replace(pattern, (_, start: string, end: string) => `${start}\n${content}\n\n${end}`);
}

function measurements(results: Results, ofDesigns: boolean): string {
  const explained = explanations();
  return results.scenarios
    .filter(({ isDesign }) => isDesign === ofDesigns)
    .map((scenario) => {
      const sizes = Object.entries(scenario.sizes).map(([name, value]) => `${name} ${value.toLocaleString('en-US')}`);
      const leftOut = Object.entries(scenario.leftOut).map(([name, why]) => `Left out: ${titleOf(name)} (${why}).`);
      const about = [`${scenario.rounds.length} rounds`, ...sizes].join(', ');
      const why = explained[scenario.name];
      const said = why === undefined ? [] : [why];
      if (scenario.measuredOn !== undefined) said.push(`Measured on: ${scenario.measuredOn}.`);
      return [`### ${scenario.title}`, ...said, `${about}.`, markdown(rowsOf(scenario)), ...leftOut].join('\n\n');
    })
    .join('\n\n');
}

function committedTable(): string {
  return markdown([
    ['driver', 'committed means'],
    ...Object.values(drivers).map(({ title, committed }) => [title, committed]),
  ]);
}

export function publish(file: string): void {
  const results = JSON.parse(readFileSync(file, 'utf8')) as Results;
  const machine = `Measured on: ${machineLine(results.machine)}.`;
  let text = readFileSync(readme, 'utf8');
  text = fillIn(text, 'machine', machine);
  text = fillIn(text, 'committed', committedTable());
  text = fillIn(text, 'goals', markdown(goalRows(results, explanations())));
  text = fillIn(text, 'measurements', measurements(results, false));
  text = fillIn(text, 'designs', measurements(results, true));
  writeFileSync(readme, text);
  writeFileSync(projectReadme, fillIn(readFileSync(projectReadme, 'utf8'), 'machine', machine));
  const picture = drawPicture(results);
  const docs = join(import.meta.dirname, '../docs');
  mkdirSync(docs, { recursive: true });
  if (picture !== undefined) writeFileSync(join(docs, 'benchmark.svg'), picture);
  const paced = drawPacedPicture(results);
  if (paced !== undefined) writeFileSync(join(docs, 'paced.svg'), paced);
}

if (import.meta.main) publish(process.argv[2] ?? publishedResults);
