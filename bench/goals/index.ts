/** What the provider is to reach, each as a number that is computed within one round. */
import type { Metrics } from '../work/work.ts';
import { documentGoals } from './documents.ts';
import type { Goal, Of } from './goal.ts';
import { operationsGoals } from './operations.ts';
import { postgresqlGoals } from './postgresql.ts';
import { awaitedGoals, pacedGoals } from './traffic.ts';

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

const burst = 'burst, patches of 200 bytes, of which the last is awaited';
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
    { other: 'reference', goal: '1/50 of the synchronous reference', target: 50 },
    { other: 'lmdb', goal: 'ahead of `lmdb`', target: 1 },
  ].map(
    ({ other, goal, target }): Goal => ({
      id: `burst-all-${other}`,
      scenario: 'burst',
      work: 'burst, patches of 200 bytes, all of them awaited by `Promise.all`: main-thread time a patch',
      goal,
      reached: (of) => of(other, 'allMainUs') / of('provider', 'allMainUs'),
      sense: 'at least',
      target,
      format: 'fraction',
    }),
  ),
  ...[
    { other: 'reference', goal: '20 times the synchronous reference', target: 20 },
    { other: 'lmdb', goal: 'not behind `lmdb`', target: 1 },
    { other: 'sqlite', goal: '90% of SQLite alone', target: 0.9 },
  ].map(
    ({ other, goal, target }): Goal => ({
      id: `burst-rate-${other}`,
      scenario: 'burst',
      work: `${burst}: committed a second`,
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
    work: "burst, patches of 200 bytes, `Durability: 'full'`: committed a second",
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
    work: 'one at a time, awaited: main-thread time',
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
      work: `snapshot of 64 MB handed over (\`${how === 'take' ? 'TransferSnapshots' : 'transfer'}\`)`,
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
    work: 'import, construct, first append acknowledged',
    goal: '1.2 × an empty worker that opens an SQLite file',
    reached: (of) => of('provider', 'firstAppendMs') / of('empty-worker', 'firstAppendMs'),
    sense: 'at most',
    target: 1.2,
    format: 'times',
  },
  ...[
    { id: 'memory-one', what: 'an idle process with one file', name: 'provider', metric: 'idleMiB', target: 12 },
    {
      id: 'memory-two',
      what: 'an idle process with two files',
      name: 'provider-two-files',
      metric: 'idleMiB',
      target: 12,
    },
    {
      id: 'memory-burst',
      what: 'after a burst of 500,000 patches and 10 s of quiet',
      name: 'provider',
      metric: 'afterBurstMiB',
      target: 30,
    },
  ].map(
    ({ id, what, name, metric, target }): Goal => ({
      id,
      scenario: 'memory',
      work: `${what}: resident memory beyond an idle process with the synchronous reference`,
      goal: `${target} MB`,
      reached: (of) => of(name, metric) - of('reference', 'idleMiB'),
      sense: 'at most',
      target,
      format: 'MB',
    }),
  ),
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
      id: `growth-memory-${metric}`,
      scenario: 'growth',
      work: `memory after ten times as many patches: ${what}`,
      goal: 'flat (within 1.1 ×)',
      reached: (_, round) => lastByTenth(round, metric),
      sense: 'at most',
      target: 1.1,
      format: 'times',
    }),
  ),
  ...operationsGoals,
  ...documentGoals,
  ...postgresqlGoals,
];
