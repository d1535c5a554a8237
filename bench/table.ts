/** Results as rows of text: for the terminal and, in Markdown, for the pages. */
import { described } from './drivers/index.ts';
import { figureOf } from './figures.ts';
import type { Goal } from './goals/goal.ts';
import { goals as allGoals } from './goals/index.ts';
import { median } from './measure.ts';
import type { GoalResult, Results, ScenarioResult } from './results.ts';

export function digits(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US');
  return Number(value.toPrecision(value >= 100 ? 3 : 2)).toString();
}

export function formatReached(value: number, format: GoalResult['format']): string {
  if (format === 'MB' || format === 'ms') return `${digits(value)} ${format}`;
  if (format === 'percent') return `${digits(value)}%`;
  if (format === 'count') return value.toLocaleString('en-US');
  if (format === 'times') return `${digits(value)} ×`;
  return value >= 1 ? `1/${digits(value)}` : `${digits(1 / value)} ×`;
}

/** What is no driver, or a driver with other sizes. */
const titles: Record<string, string> = {
  'bare-worker': 'a worker that does nothing but commit',
  'empty-worker': 'an empty worker that opens a file',
  'provider-two-files': 'this provider, two files',
  'postgresql-take-in-a-row': 'this provider on PostgreSQL, TransferSnapshots, without a rest',
  'postgresql-copy-in-a-row': 'COPY alone, without a rest',
};

export function titleOf(name: string): string {
  return described[name]?.title ?? titles[name] ?? name;
}

/** The median of the ratios to the first case that are computed within each round. */
export function ratioToFirst(scenario: ScenarioResult, name: string, metric: string): number {
  const [first = ''] = Object.keys(scenario.medians);
  const ratios = scenario.rounds.flatMap((round) => {
    const ratio = (round[name]?.[metric] ?? Number.NaN) / (round[first]?.[metric] ?? Number.NaN);
    return Number.isFinite(ratio) ? [ratio] : [];
  });
  return median(ratios);
}

type Rows = string[][];

/** How many columns fit a page. */
const MOST_COLUMNS = 6;

/** What a figure was taken at, where a scenario has several: `mainUs at 200`. */
const levelsOf: Record<string, string> = {
  growth: 'patches stored',
  'design-postgresql-holder': 'updates before',
};
const leveled = /^(.+) ((?:at|after) [\de.,]+)$/;

/**
 * The tables of a scenario: a line a case, or a line a level and case; medians, and how they compare with the first case. What does not
 * fit into six columns goes on in another table.
 */
export function tablesOf(scenario: ScenarioResult): Rows[] {
  const metrics = [...new Set(Object.values(scenario.medians).flatMap((figures) => Object.keys(figures)))];
  const plainOnes = metrics.filter((metric) => !leveled.test(metric));
  const kinds = [...new Set(metrics.flatMap((metric) => metric.match(leveled)?.[1] ?? []))];
  const level = levelsOf[scenario.name] ?? 'patches a second';
  return [
    ...inParts(kinds, MOST_COLUMNS - 2).map((part) => leveledRows(scenario, level, part)),
    ...inParts(plainOnes, MOST_COLUMNS - 1).map((part) => caseRows(scenario, part)),
  ];
}

function inParts(metrics: readonly string[], most: number): string[][] {
  const parts = Math.ceil(metrics.length / most);
  const size = Math.ceil(metrics.length / parts);
  return Array.from({ length: parts }, (_, index) => metrics.slice(index * size, (index + 1) * size));
}

function caseRows(scenario: ScenarioResult, metrics: readonly string[]): Rows {
  const names = Object.keys(scenario.medians).filter((name) => hasAny(scenario, name, metrics));
  return [
    ['', ...metrics.map((metric) => figureOf(metric).heading)],
    ...names.map((name) => [titleOf(name), ...metrics.map((metric) => cell(scenario, name, metric, metric))]),
  ];
}

function leveledRows(scenario: ScenarioResult, level: string, kinds: readonly string[]): Rows {
  const names = Object.keys(scenario.medians);
  return [
    [level, '', ...kinds.map((kind) => figureOf(kind).heading)],
    ...levelsIn(scenario).flatMap((at) =>
      names.map((name) => [
        numberIn(at).toLocaleString('en-US'),
        titleOf(name),
        ...kinds.map((kind) => cell(scenario, name, `${kind} ${at}`, kind)),
      ]),
    ),
  ];
}

function hasAny({ medians }: ScenarioResult, name: string, metrics: readonly string[]): boolean {
  return metrics.some((metric) => medians[name]?.[metric] !== undefined);
}

/** The ends of names of figures: `at 200`. */
function levelsIn({ medians }: ScenarioResult): string[] {
  const metrics = Object.values(medians).flatMap((figures) => Object.keys(figures));
  return [...new Set(metrics.flatMap((metric) => metric.match(leveled)?.[2] ?? []))];
}

function numberIn(level: string): number {
  return Number(level.replace(/^\w+ |,/g, ''));
}

function cell(scenario: ScenarioResult, name: string, metric: string, kind: string): string {
  const value = scenario.medians[name]?.[metric] ?? Number.NaN;
  const [first] = Object.keys(scenario.medians);
  const ratio = ratioToFirst(scenario, name, metric);
  const isCompared = name !== first && figureOf(kind).isCompared && !storesNothing(name) && Number.isFinite(ratio);
  return isCompared ? `${digits(value)} (${digits(ratio)} ×)` : digits(value);
}

/** A program that stores nothing shows what is not the store's. */
function storesNothing(name: string): boolean {
  return described[name]?.committed.startsWith('nothing') ?? false;
}

/** A row for each goal, also for one of which there is no result. */
export function goalRows(results: Results, goals: readonly Goal[] = allGoals): Rows {
  const judged = new Map(results.goals.map((result) => [result.id, result]));
  return [
    ['work', 'goal', 'reached', 'lowest … highest of the rounds', ''],
    ...goals.map(({ id, work, goal }) => {
      const result = judged.get(id);
      if (result === undefined) return [work, goal, '', '', 'not measured'];
      const { reached, format, met } = result;
      const range = `${formatReached(reached.lowest, format)} … ${formatReached(reached.highest, format)}`;
      return [result.work, result.goal, formatReached(reached.median, format), range, met ? 'met' : '**missed**'];
    }),
  ];
}

export function plain(rows: Rows): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
