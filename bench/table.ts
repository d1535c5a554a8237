/** Results as rows of text: for the terminal and, in Markdown, for the README. */
import { described } from './drivers/index.ts';
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

/** One line a case, one column a metric: the median, and how it compares with the first case. */
export function scenarioRows(scenario: ScenarioResult): Rows {
  const names = Object.keys(scenario.medians);
  const metrics = [...new Set(names.flatMap((name) => Object.keys(scenario.medians[name] ?? {})))];
  const head = ['', ...metrics];
  const body = names.map((name) => [
    titleOf(name),
    ...metrics.map((metric) => {
      const value = scenario.medians[name]?.[metric] ?? Number.NaN;
      const ratio = ratioToFirst(scenario, name, metric);
      return name === names[0] || !Number.isFinite(ratio) ? digits(value) : `${digits(value)} (${digits(ratio)} ×)`;
    }),
  ]);
  return [head, ...body];
}

/** A store that grows has a line a size instead. */
export function growthRows(scenario: ScenarioResult): Rows {
  const names = Object.keys(scenario.medians);
  const metrics = [...new Set(names.flatMap((name) => Object.keys(scenario.medians[name] ?? {})))];
  const levels = [...new Set(metrics.flatMap((metric) => metric.split(' at ')[1] ?? []))];
  const kinds = [
    ...new Set(metrics.flatMap((metric) => (metric.includes(' at ') ? [metric.split(' at ')[0] ?? ''] : []))),
  ];
  const columns = names.flatMap((name) => kinds.map((kind) => ({ name, kind })));
  return [
    ['patches', ...columns.map(({ name, kind }) => `${titleOf(name)}: ${kind}`)],
    ...levels.map((level) => [
      level,
      ...columns.map(({ name, kind }) => digits(scenario.medians[name]?.[`${kind} at ${level}`] ?? Number.NaN)),
    ]),
  ];
}

const pacedColumns: Record<string, string> = {
  mainUs: 'main thread, µs a patch',
  p99Ms: 'event-loop delay, ms: p99',
  p999Ms: 'p99.9',
  maxMs: 'max',
  commitP50Ms: 'call to commit, ms: p50',
  commitP99Ms: 'p99',
  workerPercent: 'other threads, % of a core',
};

export function pacedRates({ medians }: ScenarioResult): string[] {
  const [metrics = {}] = Object.values(medians);
  return Object.keys(metrics).flatMap((metric) => metric.match(/^mainUs at (.+)/)?.[1] ?? []);
}

/** Patches at a pace have a line a rate and case. */
export function pacedRows(scenario: ScenarioResult): Rows {
  const names = Object.keys(scenario.medians);
  const [first = ''] = names;
  const rates = pacedRates(scenario);
  const cell = (name: string, kind: string, rate: string) => {
    const metric = `${kind} at ${rate}`;
    const value = scenario.medians[name]?.[metric] ?? Number.NaN;
    const ratio = ratioToFirst(scenario, name, metric);
    const compared = kind === 'mainUs' && name !== first && !storesNothing(name) && Number.isFinite(ratio);
    return compared ? `${digits(value)} (${digits(ratio)} ×)` : digits(value);
  };
  return [
    ['patches a second', '', ...Object.values(pacedColumns)],
    ...rates.flatMap((rate) =>
      names.map((name) => [
        Number(rate).toLocaleString('en-US'),
        titleOf(name),
        ...Object.keys(pacedColumns).map((kind) => cell(name, kind, rate)),
      ]),
    ),
    ...names.map((name) => [
      '0, after a second of quiet',
      titleOf(name),
      ...Object.keys(pacedColumns).map((kind) =>
        kind === 'workerPercent' ? digits((scenario.medians[name]?.quietMs ?? Number.NaN) / 10) : '',
      ),
    ]),
  ];
}

function storesNothing(name: string): boolean {
  return described[name]?.committed.startsWith('nothing') ?? false;
}

export function rowsOf(scenario: ScenarioResult): Rows {
  if (scenario.name === 'paced') return pacedRows(scenario);
  return scenario.name === 'growth' ? growthRows(scenario) : scenarioRows(scenario);
}

/** A row for each goal, also for one of which there is no result. */
export function goalRows(
  results: Results,
  explanations: Readonly<Record<string, string>>,
  goals: readonly Goal[] = allGoals,
): Rows {
  const judged = new Map(results.goals.map((result) => [result.id, result]));
  return [
    ['work', 'goal', 'reached', 'rounds', '', 'what stands in the way'],
    ...goals.map(({ id, work, goal }) => {
      const result = judged.get(id);
      if (result === undefined) return [work, goal, '', '', 'not measured', ''];
      const { reached, format, met } = result;
      return [
        result.work,
        result.goal,
        formatReached(reached.median, format),
        `${formatReached(reached.lowest, format)} … ${formatReached(reached.highest, format)}`,
        met ? 'met' : '**missed**',
        met ? '' : (explanations[id] ?? ''),
      ];
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
