/** The pieces of work: how large, by which drivers, in how many rounds. */

import { documentScenarios } from './document-scenarios.ts';
import { mechanisms } from './drivers/mechanisms.ts';

type Sizes = Record<string, number>;

/** One process of a round: a driver at work. The name is that of the driver unless a scenario has several of one. */
export interface Case {
  name: string;
  driver: string;
  sizes?: Sizes;
  /** Another piece of work than the scenario's, for a limit that is no driver. */
  work?: string;
}

export interface Scenario {
  name: string;
  title: string;
  work: string;
  cases: Case[];
  full: { rounds: number; sizes: Sizes };
  quick: { rounds: number; sizes: Sizes };
  /** How often a case runs within a round, each in a process of its own; its medians count. Once in the quick form. */
  processes?: number;
  nodeOptions?: string[];
  /** Whether it has one round, whatever is asked for: it takes long, or repeats what it does within its processes. */
  once?: boolean;
  /** Whether its only case is a process in which several take turns, each reported by its own name. */
  together?: boolean;
  /** Seconds that a process may take, if more than others. */
  patienceSeconds?: number;
  /** Whether it compares designs and not drivers. */
  isDesign?: boolean;
  /** A name for several scenarios, for `--only`. */
  family?: string;
  /** Whether its cases find a PostgreSQL server, each a database of its own on it. */
  server?: boolean;
}

const cases = (...names: string[]): Case[] => names.map((name) => ({ name, driver: name }));
const KiB = 1024;
const MiB = 1024 * KiB;

const observed = cases('provider-uncounted', 'provider', 'provider-statistics', 'provider-subscribed');
const mixedLoad = { stores: 20, perSecond: 10_000, snapshotBytes: 8 * MiB };

const everyone = ['provider', 'reference', 'comlink', 'lmdb', 'lmdb-copy', 'classic-level', 'libsql', 'better-sqlite3'];

export function roundsOf({ full, quick, once }: Scenario, isQuick: boolean, asked: number | undefined): number {
  if (once === true) return 1;
  return asked ?? (isQuick ? quick : full).rounds;
}

/** Each mechanism of the provider off in turn. */
const eachOff = cases('provider', ...Object.keys(mechanisms));

const onPostgresql = { family: 'postgresql', server: true };

const postgresqlScenarios: Scenario[] = [
  {
    ...onPostgresql,
    name: 'postgresql-burst',
    title: 'PostgreSQL: burst of patches of 200 bytes, in one go',
    work: 'burst',
    cases: [
      ...cases('postgresql', 'provider', 'postgresql-packed', 'postgresql-pipelined'),
      { name: 'postgresql-insert', driver: 'postgresql-insert', sizes: { count: 2000, bursts: 2 } },
    ],
    full: { rounds: 7, sizes: { bytes: 200, count: 100_000, bursts: 4 } },
    quick: { rounds: 2, sizes: { bytes: 200, count: 4000, bursts: 2 } },
  },
  {
    ...onPostgresql,
    name: 'postgresql-paced',
    title: 'PostgreSQL: patches of 200 bytes as they come, through a pipe from another process, to 1,000 stores',
    work: 'pacedMany',
    cases: cases('postgresql', 'provider', 'nothing'),
    full: { rounds: 5, sizes: { stores: 1000, warmMs: 1000, blocks: 6, blockMs: 320, delaysMs: 2000 } },
    quick: { rounds: 1, sizes: { stores: 100, warmMs: 200, blocks: 1, blockMs: 60, delaysMs: 100 } },
  },
  {
    ...onPostgresql,
    name: 'postgresql-open',
    title: 'PostgreSQL: 1,000 stores opened together, the start of the worker included',
    work: 'openMany',
    cases: cases('postgresql', 'provider'),
    full: { rounds: 9, sizes: { stores: 1000 } },
    quick: { rounds: 1, sizes: { stores: 100 } },
  },
  {
    ...onPostgresql,
    name: 'postgresql-snapshot',
    title: 'PostgreSQL: snapshot of 64 MB, with a rest of a second after each',
    work: 'snapshot',
    cases: [
      ...cases('postgresql', 'postgresql-take', 'provider', 'provider-take', 'postgresql-copy'),
      { name: 'postgresql-take-in-a-row', driver: 'postgresql-take', sizes: { restMs: 0 } },
      { name: 'postgresql-copy-in-a-row', driver: 'postgresql-copy', sizes: { restMs: 0 } },
    ],
    full: { rounds: 5, sizes: { bytes: 64 * MiB, samples: 7, warm: 300, restMs: 1000 } },
    quick: { rounds: 2, sizes: { bytes: 64 * MiB, samples: 1, warm: 10, restMs: 100 } },
  },
  {
    ...onPostgresql,
    name: 'postgresql-load',
    title: 'PostgreSQL: loading a snapshot of 64 MB, and 100,000 patches',
    work: 'load',
    cases: cases('postgresql', 'provider', 'postgresql-copy'),
    full: { rounds: 5, sizes: { bytes: 64 * MiB, count: 100_000, samples: 5 } },
    quick: { rounds: 2, sizes: { bytes: 64 * MiB, count: 20_000, samples: 1 } },
  },
  {
    family: 'postgresql',
    name: 'postgresql-failover',
    title: 'PostgreSQL: a synchronous standby is promoted after the primary was killed under load',
    work: 'failover',
    cases: cases('postgresql'),
    full: { rounds: 5, sizes: { failovers: 3, loadMs: 3000 } },
    quick: { rounds: 1, sizes: { failovers: 1, loadMs: 500 } },
  },
];

export const scenarios: Scenario[] = [
  {
    name: 'paced',
    title: 'patches of 200 bytes as they come, through a pipe from another process',
    work: 'paced',
    cases: cases('provider', 'reference', 'comlink', 'lmdb', 'nothing'),
    full: {
      rounds: 3,
      sizes: { warmMs: 1000, longMs: 10_000, blocks: 6, blockMs: 320, delaysMs: 2000, commitsMs: 600 },
    },
    quick: { rounds: 1, sizes: { warmMs: 200, blocks: 1, blockMs: 60, delaysMs: 100, commitsMs: 100 } },
  },
  {
    name: 'burst',
    title: 'burst of patches of 200 bytes, in one go',
    work: 'burst',
    cases: cases(...everyone, 'sqlite', 'copy'),
    full: { rounds: 5, sizes: { bytes: 200, count: 100_000, bursts: 2, allAwaited: 1 } },
    quick: { rounds: 2, sizes: { bytes: 200, count: 4000, bursts: 2, allAwaited: 1 } },
  },
  {
    name: 'burst-full',
    title: "the same with Durability: 'full'",
    work: 'burst',
    cases: cases('provider-full', 'reference'),
    full: { rounds: 5, sizes: { bytes: 200, count: 100_000, bursts: 2 } },
    quick: { rounds: 2, sizes: { bytes: 200, count: 4000, bursts: 2 } },
  },
  ...[
    { name: 'size-20', title: 'burst of patches of 20 bytes', bytes: 20, full: 100_000, quick: 10_000 },
    { name: 'size-2k', title: 'burst of patches of 2 KB', bytes: 2 * KiB, full: 20_000, quick: 3000 },
    { name: 'size-64k', title: 'burst of patches of 64 KB', bytes: 64 * KiB, full: 1000, quick: 150 },
  ].map(
    ({ name, title, bytes, full, quick }): Scenario => ({
      name,
      title,
      work: 'burst',
      cases: cases('provider', 'reference', 'lmdb', 'lmdb-copy', 'sqlite', 'copy'),
      full: { rounds: 5, sizes: { bytes, count: full, bursts: 2 } },
      quick: { rounds: 2, sizes: { bytes, count: quick, bursts: 2 } },
    }),
  ),
  {
    name: 'one',
    title: 'one patch at a time, awaited',
    work: 'oneAtATime',
    cases: cases(...everyone, 'sqlite', 'port'),
    full: { rounds: 5, sizes: { count: 10_000, warm: 2000 } },
    quick: { rounds: 2, sizes: { count: 1000, warm: 300 } },
  },
  {
    name: 'awaited',
    title: 'one awaited call at a time, beside a bare worker in the same process',
    work: 'awaited',
    cases: cases('provider'),
    full: { rounds: 3, sizes: { warm: 3000, rounds: 8, count: 600, spacedCount: 80 } },
    quick: { rounds: 1, sizes: { warm: 300, rounds: 2, count: 50, spacedCount: 5 } },
    processes: 3,
    together: true,
  },
  {
    name: 'snapshot',
    title: 'snapshot of 64 MB',
    work: 'snapshot',
    cases: cases('provider', 'provider-take', 'provider-transfer', 'reference', 'copy'),
    full: { rounds: 5, sizes: { bytes: 64 * MiB, samples: 9, warm: 300 } },
    quick: { rounds: 2, sizes: { bytes: 64 * MiB, samples: 1, warm: 10 } },
  },
  {
    name: 'load',
    title: 'loading a snapshot of 64 MB, and 100,000 patches',
    work: 'load',
    cases: cases('provider', 'reference', 'lmdb', 'classic-level'),
    full: { rounds: 5, sizes: { bytes: 64 * MiB, count: 100_000, samples: 5 } },
    quick: { rounds: 2, sizes: { bytes: 64 * MiB, count: 20_000, samples: 1 } },
  },
  {
    name: 'small-loads',
    title: 'loading snapshots of 200 bytes, of 500 stores',
    work: 'smallLoads',
    cases: cases('provider', 'reference', 'lmdb', 'classic-level'),
    full: { rounds: 5, sizes: { bytes: 200, stores: 500, count: 50_000 } },
    quick: { rounds: 2, sizes: { bytes: 200, stores: 50, count: 1000 } },
  },
  {
    name: 'mixed',
    title: 'mixed load: 20 stores, 10,000 patches/s, snapshots of 8 MB, loads',
    work: 'mixed',
    cases: cases('provider-take', 'provider', 'reference', 'nothing'),
    full: { rounds: 3, sizes: { ...mixedLoad, seconds: 5 } },
    quick: { rounds: 1, sizes: { ...mixedLoad, seconds: 1 } },
  },
  {
    name: 'start',
    title: 'from the import to the first append acknowledged',
    work: 'start',
    cases: [
      ...cases('provider'),
      { name: 'reference', driver: 'reference', work: 'startReference' },
      { name: 'empty-worker', driver: 'nothing', work: 'startEmptyWorker' },
    ],
    full: { rounds: 7, sizes: {} },
    quick: { rounds: 2, sizes: {} },
    processes: 3,
  },
  {
    name: 'memory',
    title: 'resident memory of a process with one file, or two; and after a burst and 10 s of quiet',
    work: 'memory',
    cases: [
      ...cases('provider'),
      { name: 'reference', driver: 'reference', work: 'memoryReference' },
      { name: 'empty-worker', driver: 'nothing', work: 'memoryEmptyWorker', sizes: { burst: 0 } },
      { name: 'provider-two-files', driver: 'provider', sizes: { files: 2, burst: 0 } },
      { name: 'without-arena-exchange', driver: 'provider', work: 'memoryWithoutArenaExchange' },
      { name: 'without-young-bound', driver: 'provider', work: 'memoryWithoutYoungBound' },
    ],
    full: { rounds: 3, sizes: { burst: 500_000 } },
    quick: { rounds: 1, sizes: { burst: 0 } },
  },
  {
    name: 'many',
    title: '1,000 stores in one file; 1,000 files',
    work: 'many',
    cases: [
      { name: 'one-store', driver: 'provider', sizes: { stores: 1, files: 1 } },
      { name: '1000-stores', driver: 'provider', sizes: { stores: 1000, files: 1 } },
      { name: '1000-files', driver: 'provider', sizes: { stores: 1000, files: 1000 } },
      { name: 'sqlite-1000-stores', driver: 'sqlite', sizes: { stores: 1000, files: 1 } },
      { name: 'sqlite-1000-files', driver: 'sqlite', sizes: { stores: 1000, files: 1000 } },
      { name: 'reference-1000-files', driver: 'reference', sizes: { stores: 1000, files: 1000 } },
    ],
    full: { rounds: 5, sizes: { count: 100_000 } },
    quick: { rounds: 1, sizes: { count: 20_000, shrink: 5 } },
  },
  {
    name: 'growth',
    title: 'a store that grows, and the memory of the main thread',
    work: 'growth',
    cases: cases('provider', 'sqlite'),
    full: { rounds: 1, sizes: { most: 10_000_000, seconds: 150 } },
    quick: { rounds: 1, sizes: { most: 100_000, seconds: 8 } },
    nodeOptions: ['--expose-gc'],
    once: true,
  },
  {
    name: 'operations',
    title: 'backup and verification of a file of 2 GB, by themselves',
    work: 'operations',
    cases: cases('provider'),
    full: { rounds: 3, sizes: { values: 1_000_000, valueBytes: 1900, turns: 2 } },
    quick: { rounds: 1, sizes: { values: 20_000, valueBytes: 1900, turns: 1 } },
    patienceSeconds: 900,
  },
  {
    name: 'operations-beside',
    title: 'backup and verification of a file of 2 GB beside its own traffic, and compaction of another one',
    work: 'operationsBeside',
    cases: cases('provider-take'),
    full: {
      rounds: 3,
      sizes: { ...mixedLoad, values: 1_000_000, valueBytes: 1900, turns: 1, seconds: 10 },
    },
    quick: { rounds: 1, sizes: { ...mixedLoad, values: 20_000, valueBytes: 1900, turns: 1, seconds: 1 } },
    together: true,
    patienceSeconds: 1800,
  },
  {
    name: 'observed-burst',
    title: 'burst with statistics, and with a subscriber on every channel',
    work: 'burst',
    cases: observed,
    full: { rounds: 5, sizes: { bytes: 200, count: 100_000, bursts: 8 } },
    quick: { rounds: 1, sizes: { bytes: 200, count: 4000, bursts: 2 } },
  },
  {
    name: 'observed-paced',
    title: 'patches as they come, with statistics, and with a subscriber on every channel',
    work: 'paced',
    cases: observed,
    full: { rounds: 3, sizes: { warmMs: 1000, blocks: 8, blockMs: 320, delaysMs: 300, commitsMs: 300 } },
    quick: { rounds: 1, sizes: { warmMs: 200, blocks: 1, blockMs: 60, delaysMs: 100, commitsMs: 100 } },
  },
  {
    family: 'mechanisms',
    name: 'mechanisms-paced',
    title: 'each mechanism off in turn: patches as they come',
    work: 'paced',
    cases: eachOff,
    full: { rounds: 3, sizes: { warmMs: 1000, blocks: 6, blockMs: 320, delaysMs: 500, commitsMs: 600 } },
    quick: { rounds: 1, sizes: { warmMs: 100, blocks: 1, blockMs: 60, delaysMs: 20, commitsMs: 50 } },
  },
  {
    family: 'mechanisms',
    name: 'mechanisms-stretch',
    title: 'the own checkpoints off: patches as they come, 15 s of each rate',
    work: 'stretch',
    cases: cases('provider', 'without-wal-keeper', 'without-checkpoints-in-pauses'),
    full: { rounds: 3, sizes: { stretchMs: 15_000 } },
    quick: { rounds: 1, sizes: { stretchMs: 100 } },
  },
  {
    family: 'mechanisms',
    name: 'mechanisms-burst',
    title: 'each mechanism off in turn: a burst of patches of 200 bytes',
    work: 'burst',
    cases: eachOff,
    full: { rounds: 5, sizes: { bytes: 200, count: 100_000, bursts: 4 } },
    quick: { rounds: 1, sizes: { bytes: 200, count: 4000, bursts: 2 } },
  },
  ...documentScenarios,
  ...postgresqlScenarios,
];
