/**
 * Writes what the READMEs show from the output of a run: `node bench/publish.ts [FILE]` takes
 * `bench/results.json` unless told otherwise. Numbers stand between markers and nowhere else.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { described } from './drivers/index.ts';
import { AS_THIS_PROVIDER } from './drivers/observed.ts';
import { fillIn } from './fill-in.ts';
import { LEAST_NOTICEABLE_US } from './goals/traffic.ts';
import { machineLine } from './machine.ts';
import { markdown } from './markdown.ts';
import { median } from './measure.ts';
import { drawPacedPicture } from './paced-picture.ts';
import { drawPicture } from './picture.ts';
import type { Results, ScenarioResult } from './results.ts';
import { publishScale } from './scale.ts';
import { digits, formatReached, goalRows, rowsOf, titleOf } from './table.ts';
import { RATES } from './work/paced.ts';

const readme = join(import.meta.dirname, 'README.md');
const projectReadme = join(import.meta.dirname, '../README.md');
export const publishedResults = join(import.meta.dirname, 'results.json');

function explanations(): Record<string, string> {
  return JSON.parse(readFileSync(join(import.meta.dirname, 'explanations.json'), 'utf8')) as Record<string, string>;
}

function measurements(results: Results, ofDesigns: boolean): string {
  const explained = explanations();
  return results.scenarios
    .filter(({ isDesign }) => isDesign === ofDesigns)
    .map((scenario) => {
      const sizes = Object.entries(scenario.sizes).map(([name, value]) => `${name} ${value.toLocaleString('en-US')}`);
      const leftOut = Object.entries(scenario.leftOut).map(([name, why]) => `Left out: ${titleOf(name)} (${why}).`);
      const rounds = scenario.rounds.length === 1 ? 'one round' : `${scenario.rounds.length} rounds`;
      const about = [rounds, ...sizes].join(', ');
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
    ...Object.values(described)
      .filter(({ committed }) => committed !== AS_THIS_PROVIDER)
      .map(({ title, committed }) => [title, committed]),
  ]);
}

/** Where the provider saves main-thread time, and where it does not. */
function trafficTable({ scenarios }: Results): string {
  const rowOf = (name: string, metric: string, traffic: string) => {
    const scenario = scenarios.find((one) => one.name === name);
    if (scenario === undefined) return [];
    const { provider, reference } = scenario.medians;
    const ours = provider?.[metric] ?? Number.NaN;
    const theirs = reference?.[metric] ?? Number.NaN;
    if (Number.isNaN(ours + theirs)) return [];
    const ratio = medianRatio(scenario, metric);
    return [[traffic, formatCost(ours), formatCost(theirs), formatReached(ratio, 'fraction')]];
  };
  const formatCost = (us: number) =>
    us < LEAST_NOTICEABLE_US ? `under ${LEAST_NOTICEABLE_US} µs` : `${digits(us)} µs`;
  return markdown([
    ['main-thread time a patch', 'this provider', 'synchronous', 'in relation'],
    ...RATES.flatMap((rate) =>
      rowOf('paced', `mainUs at ${rate}`, `as they come, ${rate.toLocaleString('en-US')} a second`),
    ),
    ...rowOf('burst', 'mainUs', 'a burst of 100,000 in one turn'),
    ...rowOf('awaited', 'mainUs', 'one awaited at a time, back to back'),
    ...rowOf('awaited', 'spaced mainUs', 'one awaited every 4 ms'),
  ]);
}

/** How many times as much the reference costs, computed within each round as for the goals. */
function medianRatio({ rounds }: ScenarioResult, metric: string): number {
  return median(
    rounds.flatMap(({ provider, reference }) => {
      const ratio =
        (reference?.[metric] ?? Number.NaN) / Math.max(provider?.[metric] ?? Number.NaN, LEAST_NOTICEABLE_US);
      return Number.isFinite(ratio) ? [ratio] : [];
    }),
  );
}

export function publish(file: string): void {
  const results = JSON.parse(readFileSync(file, 'utf8')) as Results;
  const elsewhere = [...new Set(results.scenarios.flatMap(({ measuredOn }) => measuredOn ?? []))];
  const machine = [
    `Measured on: ${machineLine(results.machine)}.`,
    ...elsewhere.map((line) => `Some of it before that, as its table says, on: ${line}.`),
  ].join(' ');
  let text = readFileSync(readme, 'utf8');
  text = fillIn(text, 'machine', machine);
  text = fillIn(text, 'committed', committedTable());
  text = fillIn(text, 'goals', markdown(goalRows(results, explanations())));
  text = fillIn(text, 'measurements', measurements(results, false));
  text = fillIn(text, 'designs', measurements(results, true));
  writeFileSync(readme, text);
  let project = fillIn(readFileSync(projectReadme, 'utf8'), 'machine', machine);
  project = fillIn(project, 'traffic', trafficTable(results));
  writeFileSync(projectReadme, project);
  if (file === publishedResults) publishScale();
  const picture = drawPicture(results);
  const docs = join(import.meta.dirname, '../docs');
  mkdirSync(docs, { recursive: true });
  if (picture !== undefined) writeFileSync(join(docs, 'benchmark.svg'), picture);
  const paced = drawPacedPicture(results);
  if (paced !== undefined) writeFileSync(join(docs, 'paced.svg'), paced);
}

if (import.meta.main) publish(process.argv[2] ?? publishedResults);
