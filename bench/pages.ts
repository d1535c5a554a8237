/** The pages of bench/results: what each scenario measured, by subject. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { described } from './drivers/index.ts';
import { AS_THIS_PROVIDER } from './drivers/observed.ts';
import { lastingLine, machineLine } from './machine.ts';
import { markdown } from './markdown.ts';
import type { Results, ScenarioResult } from './results.ts';
import { goalRows, tablesOf, titleOf } from './table.ts';

interface Page {
  name: string;
  title: string;
  /** What a reader has to know first. */
  about: string;
  /** The beginnings of its scenarios' names. */
  scenarios: readonly string[];
}

const inBrackets = 'Medians over the rounds; in brackets the ratio to the first line, computed within each round.';

export const pages: readonly Page[] = [
  {
    name: 'traffic',
    title: 'Patches as they come, and awaited ones',
    about: 'What a server and an editor do: a few calls a turn that nobody waits for, or one call after the other.',
    scenarios: ['paced', 'one', 'awaited', 'mixed', 'many'],
  },
  {
    name: 'bursts',
    title: 'Bursts',
    about: 'All patches are appended in one turn; the last one is awaited. Times are those of a patch.',
    scenarios: ['burst', 'burst-full', 'size-20', 'size-2k', 'size-64k', 'growth'],
  },
  {
    name: 'snapshots',
    title: 'Snapshots and loads',
    about: 'Large bytes in one call; and small ones, where the call is what costs.',
    scenarios: ['snapshot', 'load', 'small-loads'],
  },
  {
    name: 'process',
    title: 'Start and memory of a process',
    about: 'Each in a process of its own, in plain JavaScript, that loads nothing else.',
    scenarios: ['start', 'memory'],
  },
  {
    name: 'operations',
    title: 'Operations on files',
    about: 'Backup, verification and compaction of a file of 2 GB, alone and beside traffic.',
    scenarios: ['operations', 'operations-beside'],
  },
  {
    name: 'observed',
    title: 'What looking at it costs',
    about: 'Statistics asked for, subscribers on every diagnostics channel, and a build that counts nothing.',
    scenarios: ['observed'],
  },
  {
    name: 'documents',
    title: 'Documents of Yjs, Hocuspocus and automerge-repo',
    about: 'Merging is in every figure. Processor time is that of a turn or of the main thread for one update.',
    scenarios: ['documents'],
  },
  {
    name: 'postgresql',
    title: 'On PostgreSQL',
    about: 'Server and program share the cores of one machine, so each figure contains both.',
    scenarios: ['postgresql'],
  },
  {
    name: 'mechanisms',
    title: 'Each mechanism off in turn',
    about: 'The package is built without one of its mechanisms, which shows what that mechanism buys.',
    scenarios: ['mechanisms'],
  },
  {
    name: 'designs',
    title: 'Designs tried',
    about:
      'Pieces of the work that limits the provider, each done in several ways by itself, without the provider: the first line of a table is the way that is built in. `npm run bench -- --only design-insert` repeats one.',
    scenarios: ['design'],
  },
];

const folder = join(import.meta.dirname, 'results');
const back = '[The benchmark](../README.md): how to run it, how it measures, a summary.';

export function writePages(results: Results, explanations: Readonly<Record<string, string>>): void {
  mkdirSync(folder, { recursive: true });
  for (const stale of readdirSync(folder)) rmSync(join(folder, stale));
  const write = (name: string, paragraphs: readonly string[]) =>
    writeFileSync(join(folder, `${name}.md`), `${paragraphs.join('\n\n')}\n`);
  for (const page of pages) {
    const own = results.scenarios.filter((scenario) => pageOf(scenario) === page);
    const shown = own.map((scenario) => sectionOf(scenario, results, explanations[scenario.name]));
    const isMissing = shown.length === 0;
    write(page.name, [
      `# ${page.title}`,
      back,
      page.about,
      ...(isMissing ? ['Not measured.'] : [inBrackets, ...shown]),
    ]);
  }
  const howRead =
    "A fraction says how much of the other's cost the provider has. A goal is computed within each round; the median over the rounds counts.";
  write('goals', ['# Goals', back, howRead, markdown(goalRows(results))]);
  write('drivers', ['# What is compared', back, 'All at their usual settings.', markdown(committedRows())]);
}

/** The page of a scenario: that of the longest beginning. */
function pageOf({ name, isDesign }: ScenarioResult): Page | undefined {
  if (isDesign) return pages.find((page) => page.name === 'designs');
  const fits = (start: string) => name === start || name.startsWith(`${start}-`);
  return pages.find(({ scenarios }) => scenarios.some(fits));
}

function sectionOf(scenario: ScenarioResult, { machine }: Results, why: string | undefined): string {
  const sizes = Object.entries(scenario.sizes).map(([name, value]) => `\`${name}\` ${value.toLocaleString('en-US')}`);
  const rounds = scenario.rounds.length === 1 ? 'one round' : `${scenario.rounds.length} rounds`;
  const line = scenario.measuredOn ?? machineLine(machine);
  const isTheSame = lastingLine(line) === lastingLine(machineLine(machine));
  const when = isTheSame ? (line.split('; ').at(-1) ?? '') : line;
  const leftOut = Object.entries(scenario.leftOut).map(([name, reason]) => `Left out: ${titleOf(name)} (${reason}).`);
  return [
    `## ${scenario.title}`,
    // written for bench/README.md
    ...(why === undefined ? [] : [why.replaceAll('](results/', '](')]),
    `Measured on ${when}, ${[rounds, ...sizes].join(', ')}.`,
    ...tablesOf(scenario).map(markdown),
    ...leftOut,
  ].join('\n\n');
}

function committedRows(): string[][] {
  const drivers = Object.values(described).filter(({ committed }) => committed !== AS_THIS_PROVIDER);
  return [['driver', 'committed means'], ...drivers.map(({ title, committed }) => [title, committed])];
}
