/** What the provider is to reach, each as a number that is computed within one round. */
import { RATES } from './work/paced.ts';
import type { Metrics } from './work/work.ts';

export interface Goal {
  id: string;
  scenario: string;
  /** The piece of work and the goal in words. */
  work: string;
  goal: string;
  reached(of: (name: string, metric: string) => number, round: Record<string, Metrics>): number;
  sense: 'at least' | 'at most';
  target: number;
  /** A ratio, a fraction (1/n), milliseconds, or a share of a core. */
  format: 'times' | 'fraction' | 'ms' | 'percent';
}

type Of = (name: string, metric: string) => number;

/** The steepest rise of a metric from any size of a store to a larger one. */
function steepest(round: Record<string, Metrics>, metric: string): number {
  const levels = Object.entries(round.provider ?? {}).flatMap(([name, value]) =>
    name.startsWith(`${metric} at `) ? [value] : [],
  );
  if (levels.length < 2) return Number.NaN;
  return Math.max(...levels.map((value, i) => Math.max(...levels.slice(i)) / value));
}

/** Memory at the end in relation to that after a tenth of the patches. */
function lastByTenth(round: Record<string, Metrics>, metric: string): number {
  const levels = Object.entries(round.provider ?? {}).filter(([name]) => name.startsWith(`${metric} at `));
  return (levels.at(-1)?.[1] ?? Number.NaN) / (levels.at(-2)?.[1] ?? Number.NaN);
}

/** Less than this, in µs of the main thread a patch, can't be told from nothing. */
const NOTICEABLE_US = 0.1;

const pacedGoals: Goal[] = [
  { rate: 1000, target: 5 },
  { rate: 5000, target: 10 },
  { rate: 20_000, target: 10 },
  { rate: 200, target: 3 },
].map(({ rate, target }) => ({
  id: `paced-main-${rate}`,
  scenario: 'paced',
  work: `as they come, ${rate.toLocaleString('en-US')} patches a second: main-thread time a patch`,
  goal: `1/${target} of the synchronous reference`,
  reached: (of) => of('reference', `mainUs at ${rate}`) / Math.max(of('provider', `mainUs at ${rate}`), NOTICEABLE_US),
  sense: 'at least',
  target,
  format: 'fraction',
}));
pacedGoals.push(
  {
    id: 'paced-p999Ms',
    scenario: 'paced',
    work: 'as they come, at the worst of these rates: event-loop delay, p99.9',
    goal: 'within 0.5 ms of the program that stores nothing',
    reached: (of) =>
      Math.max(...RATES.map((rate) => of('provider', `p999Ms at ${rate}`) - of('nothing', `p999Ms at ${rate}`))),
    sense: 'at most',
    target: 0.5,
    format: 'ms',
  },
  {
    id: 'paced-commit',
    scenario: 'paced',
    work: 'as they come, at the worst of these rates: from call to commit, p99',
    goal: 'within 5 ms',
    reached: (of) => Math.max(...RATES.map((rate) => of('provider', `commitP99Ms at ${rate}`))),
    sense: 'at most',
    target: 5,
    format: 'ms',
  },
  {
    id: 'paced-worker',
    scenario: 'paced',
    work: "as they come, 200 patches a second: the worker's processor time",
    goal: 'under 3% of a core',
    reached: (of) => of('provider', 'workerPercent at 200'),
    sense: 'at most',
    target: 3,
    format: 'percent',
  },
  {
    id: 'paced-quiet',
    scenario: 'paced',
    work: "the worker's processor time in a second after a second of quiet",
    goal: '0 (under 0.5 ms, as much as can be told from the program that stores nothing)',
    reached: (of) => of('provider', 'quietMs') - of('nothing', 'quietMs'),
    sense: 'at most',
    target: 0.5,
    format: 'ms',
  },
);

const awaitedGoals: Goal[] = [
  { metric: 'p50Us', work: 'one awaited at a time, back to back: latency (median)' },
  { metric: 'mainUs', work: 'the same: main-thread time' },
  { metric: 'spaced p50Us', work: 'one awaited every 4 ms: latency (median)' },
].map(({ metric, work }) => ({
  id: `awaited-${metric}`,
  scenario: 'awaited',
  work,
  goal: 'not above a bare worker that does nothing else',
  reached: (of) => of('provider', metric) / of('bare-worker', metric),
  sense: 'at most',
  target: 1,
  format: 'times',
}));

const burst = 'burst, patches of 200 bytes, not awaited one by one';
const main = (of: Of, other: string) => of(other, 'mainUs') / of('provider', 'mainUs');
const rate = (of: Of, other: string) => of('provider', 'perSecond') / of(other, 'perSecond');

function goalsOfSize(scenario: string, size: string): Goal[] {
  const others = [
    { other: 'reference', who: 'the reference' },
    { other: 'lmdb', who: '`lmdb`' },
    { other: 'lmdb-copy', who: '`lmdb` with the bytes copied at the call, as the contract asks' },
  ];
  return others.map(({ other, who }) => ({
    id: `${scenario}-${other}`,
    scenario,
    work: `patches of ${size}: main-thread time`,
    goal: `ahead of ${who}`,
    reached: (of) => main(of, other),
    sense: 'at least',
    target: 1,
    format: 'fraction',
  }));
}

function goalsOfMany(name: string, work: string): Goal[] {
  return [
    { metric: 'mainUs', what: 'main-thread time a patch' },
    { metric: 'wholeUs', what: 'whole time a patch' },
  ].map(({ metric, what }) => ({
    id: `${name}-${metric}`,
    scenario: 'many',
    work: `${work}: ${what}`,
    goal: 'within 1.5 × of one store',
    reached: (of) => of(name, metric) / of('one-store', metric),
    sense: 'at most',
    target: 1.5,
    format: 'times',
  }));
}

export const goals: Goal[] = [
  ...pacedGoals,
  ...awaitedGoals,
  {
    id: 'burst-main-reference',
    scenario: 'burst',
    work: `${burst}: main-thread time a patch`,
    goal: '1/100 of the synchronous reference',
    reached: (of) => main(of, 'reference'),
    sense: 'at least',
    target: 100,
    format: 'fraction',
  },
  {
    id: 'burst-main-lmdb',
    scenario: 'burst',
    work: `${burst}: main-thread time a patch`,
    goal: 'half of `lmdb`',
    reached: (of) => main(of, 'lmdb'),
    sense: 'at least',
    target: 2,
    format: 'fraction',
  },
  ...[
    { other: 'reference', goal: '20 times the synchronous reference', target: 20 },
    { other: 'lmdb', goal: 'not behind `lmdb`', target: 1 },
    { other: 'sqlite', goal: '90% of SQLite alone', target: 0.9 },
  ].map(
    ({ other, goal, target }): Goal => ({
      id: `burst-rate-${other}`,
      scenario: 'burst',
      work: 'the same: committed a second',
      goal,
      reached: (of) => rate(of, other),
      sense: 'at least',
      target,
      format: 'times',
    }),
  ),
  {
    id: 'burst-full',
    scenario: 'burst-full',
    work: "the same with `Durability: 'full'`: committed a second",
    goal: '10 times the synchronous reference at its weaker `NORMAL`',
    reached: (of) => of('provider-full', 'perSecond') / of('reference', 'perSecond'),
    sense: 'at least',
    target: 10,
    format: 'times',
  },
  ...goalsOfSize('size-20', '20 bytes'),
  ...goalsOfSize('size-2k', '2 KB'),
  ...goalsOfSize('size-64k', '64 KB'),
  {
    id: 'one-latency',
    scenario: 'one',
    work: 'one at a time, awaited: latency (median)',
    goal: '1.25 × (bare message there and back + one synchronous commit)',
    reached: (of) => of('provider', 'p50Us') / (of('port', 'p50Us') + of('sqlite', 'p50Us')),
    sense: 'at most',
    target: 1.25,
    format: 'times',
  },
  {
    id: 'one-main',
    scenario: 'one',
    work: 'the same: main-thread time',
    goal: '1.5 × a bare message there and back',
    reached: (of) => of('provider', 'mainUs') / of('port', 'mainUs'),
    sense: 'at most',
    target: 1.5,
    format: 'times',
  },
  ...['transfer', 'take'].map(
    (how): Goal => ({
      id: `snapshot-${how}`,
      scenario: 'snapshot',
      work: `snapshot of 64 MB handed over (\`${how === 'take' ? 'TakeSnapshots' : 'transfer'}\`)`,
      goal: 'blocks the main thread under 0.2 ms',
      reached: (of) => of(`provider-${how}`, 'blockedMs'),
      sense: 'at most',
      target: 0.2,
      format: 'ms',
    }),
  ),
  {
    id: 'snapshot-kept',
    scenario: 'snapshot',
    work: 'snapshot of 64 MB kept by the caller: time the call blocks',
    goal: '1.1 × one plain copy of it',
    reached: (of) => of('provider', 'blockedMs') / of('copy', 'blockedMs'),
    sense: 'at most',
    target: 1.1,
    format: 'times',
  },
  ...['snapshot', 'patches'].flatMap((what): Goal[] => {
    const work = what === 'snapshot' ? 'loading a snapshot of 64 MB' : 'loading 100,000 patches';
    const ratio = (of: Of, metric: string) => of('provider', metric) / of('reference', metric);
    return [
      {
        id: `load-${what}-main`,
        scenario: 'load',
        work: `${work}: main-thread time`,
        goal: 'a tenth of the reference',
        reached: (of) => 1 / ratio(of, `${what}MainMs`),
        sense: 'at least',
        target: 10,
        format: 'fraction',
      },
      {
        id: `load-${what}-whole`,
        scenario: 'load',
        work: `${work}: whole time`,
        goal: 'no more than the reference',
        reached: (of) => ratio(of, `${what}WholeMs`),
        sense: 'at most',
        target: 1,
        format: 'times',
      },
    ];
  }),
  ...['p999Ms', 'maxMs'].map(
    (metric): Goal => ({
      id: `mixed-${metric}`,
      scenario: 'mixed',
      work: `mixed load: event-loop delay, ${metric === 'maxMs' ? 'max' : 'p99.9'}`,
      goal: 'within 1 ms of the same program idle',
      reached: (of) => of('provider-take', metric) - of('nothing', metric),
      sense: 'at most',
      target: 1,
      format: 'ms',
    }),
  ),
  {
    id: 'start',
    scenario: 'start',
    work: 'first call answered after construction',
    goal: '1.3 × starting an empty worker',
    reached: (of) => of('provider', 'firstAnswerMs') / of('empty-worker', 'firstAnswerMs'),
    sense: 'at most',
    target: 1.3,
    format: 'times',
  },
  ...goalsOfMany('1000-stores', '1,000 stores in one file'),
  ...goalsOfMany('1000-files', '1,000 files'),
  ...[
    { metric: 'wholeUs', what: 'cost of a patch (whole time)' },
    { metric: 'mainUs', what: 'cost of a patch (main thread)' },
    { metric: 'loadUs', what: 'load of the newest 100' },
  ].map(
    ({ metric, what }): Goal => ({
      id: `growth-${metric}`,
      scenario: 'growth',
      work: `growth from 10⁴ patches on: ${what}`,
      goal: 'flat within 1.3 ×',
      reached: (_, round) => steepest(round, metric),
      sense: 'at most',
      target: 1.3,
      format: 'times',
    }),
  ),
  ...[
    { metric: 'heapMiB', what: 'heap and buffers of the main thread' },
    { metric: 'rssMiB', what: 'resident memory of the process' },
  ].map(
    ({ metric, what }): Goal => ({
      id: `memory-${metric}`,
      scenario: 'growth',
      work: `memory after ten times as many patches: ${what}`,
      goal: 'flat (within 1.1 ×)',
      reached: (_, round) => lastByTenth(round, metric),
      sense: 'at most',
      target: 1.1,
      format: 'times',
    }),
  ),
];
