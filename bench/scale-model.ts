/**
 * What the design does at a size that can't be tried here: arithmetic over figures that the benchmark has measured, and
 * assumptions that are named. `scale.ts` prints it.
 */
import type { Metrics } from './work/work.ts';

/** What is asked for. */
export interface Target {
  stores: number;
  patchesPerSecond: number;
  processes: number;
}

export const target: Target = { stores: 100_000, patchesPerSecond: 1_000_000, processes: 50 };

export interface Given {
  value: number;
  unit: string;
  what: string;
  /** The scenario of the benchmark it comes from; none: it is assumed. */
  from?: string;
}

/** A case's metric in the results of the benchmark. */
export type Measured = (scenario: string, name: string, metric: string) => number;

const insert = 'design-postgresql-insert';
const builtIn = 'plain INSERT if no number of the range is taken, with the fence';
const alone = 'the same, 1 patch a statement';
const prune = 'design-postgresql-prune';
const pruneMany = 'of 96 stores, 512 by each statement';

/** Everything the calculation begins with, by a name of its own. */
export function givens(of: Measured) {
  const measured = (scenario: string, name: string, metric: string, unit: string, what: string): Given => ({
    value: of(scenario, name, metric),
    unit,
    what,
    from: scenario,
  });
  const assumed = (value: number, unit: string, what: string): Given => ({ value, unit, what });
  const opening = of('postgresql-paced', 'postgresql', 'openMs');
  return {
    serverUs: measured(insert, builtIn, 'serverUs', 'µs', "the server's processor time for a patch in a large batch"),
    statementUs: {
      value: of(insert, alone, 'serverUs') - of(insert, builtIn, 'serverUs'),
      unit: 'µs',
      what: 'the same for a statement besides (a batch of one, less the patch)',
      from: insert,
    } as Given,
    logBytes: measured(insert, builtIn, 'logBytes', 'bytes', 'of the write-ahead log for a patch of 200 bytes'),
    statementLogBytes: {
      value: of(insert, alone, 'logBytes') - of(insert, builtIn, 'logBytes'),
      unit: 'bytes',
      what: 'the same for a transaction besides',
      from: insert,
    } as Given,
    diskBytes: measured(
      insert,
      builtIn,
      'diskBytes',
      'bytes',
      'on the disk for a patch of 200 bytes, its index included',
    ),
    pruneLogBytes: measured(prune, pruneMany, 'pruneLogBytes', 'bytes', 'of the log to prune a patch'),
    pruneUs: measured(prune, pruneMany, 'pruneUs', 'µs', "the server's processor time to prune a patch"),
    vacuumLogBytes: measured(
      prune,
      pruneMany,
      'vacuumLogBytes',
      'bytes',
      'of the log to clear a pruned patch away (VACUUM)',
    ),
    vacuumUs: measured(prune, pruneMany, 'vacuumUs', 'µs', 'the same to clear a pruned patch away (VACUUM)'),
    saveMsPerMB: {
      value: of('design-postgresql-save', 'COPY, rows of 256 KiB', 'serverMs') / ((64 * 1024 * 1024) / 1e6),
      unit: 'ms',
      what: "the server's processor time to save a megabyte of a snapshot",
      from: 'design-postgresql-save',
    } as Given,
    mainUs: measured(
      'postgresql-paced',
      'postgresql',
      'mainUs at 20000',
      'µs',
      "the program's main thread for a patch",
    ),
    workerPercent: measured(
      'postgresql-paced',
      'postgresql',
      'workerPercent at 20000',
      '% of a core',
      "the program's other threads at 20,000 patches a second",
    ),
    claimMs: {
      value: opening / 1000,
      unit: 'ms',
      what: 'for each of 1,000 stores opened together: claimed in bulk, then loaded one by one',
      from: 'postgresql-paced',
    } as Given,
    gatherMs: assumed(3.5, 'ms', 'between two looks of the worker for patches that nobody waits for (a constant)'),
    leaseMs: assumed(
      10_000,
      'ms',
      'lease (the default of `LeaseMs`); it is renewed after a third of it without a write',
    ),
    commitMs: assumed(
      5,
      'ms',
      'from a statement to its answer: network, disk, and a synchronous standby in another zone',
    ),
    pruneAfterBytes: assumed(512 * 1024, 'bytes', 'of patches after which a store is saved as a snapshot and pruned'),
    snapshotBytes: assumed(100_000, 'bytes', 'of a snapshot, on average'),
    snapshotLog: assumed(1.1, '×', 'of its bytes are logged for a snapshot that does not compress'),
    wireBytes: assumed(250, 'bytes', 'on the wire for a patch of 200 bytes, its number and the name of its store'),
    cores: assumed(16, 'cores', 'of a database server'),
    logBytesPerSecond: assumed(
      250e6,
      'bytes/s',
      'of log that a database server, its disk and its standby take for good',
    ),
    networkBytesPerSecond: assumed(1.25e9, 'bytes/s', 'of network of a database server (10 Gbit/s), each way'),
    connections: assumed(500, 'connections', 'of a database server without a pooler'),
    vacuums: assumed(1, 'process', 'that clears one table away at a time (PostgreSQL runs no two VACUUMs of a table)'),
    most: assumed(0.6, '×', 'of what a server can do is what it is to be loaded with'),
  };
}

export type Givens = ReturnType<typeof givens>;

/** From the promotion of a standby to the next commit: nothing is calculated from it, the document tells it beside the rest. */
export function serviceMs(of: Measured): number {
  return of('postgresql-failover', 'postgresql', 'promotionToCommitMs');
}

/** What one database server is asked for, if there are so many of them. */
export interface Load {
  servers: number;
  patchesPerStatement: number;
  transactionsPerSecond: number;
  connections: number;
  uses: Use[];
}

export interface Use {
  what: string;
  /** Of one server. */
  demand: number;
  capacity: number;
  unit: string;
}

/**
 * One process sends one statement at a time to each database, and gathers meanwhile: so a batch has what comes in while the
 * one before it is under way, and at least what comes in between two of the worker's looks.
 */
function batching(perSecond: number, { gatherMs, commitMs, serverUs, statementUs }: Givens) {
  const busyMs = perSecond * (serverUs.value / 1e6); // of each ms, so much is the server's work on patches
  const cycleMs = Math.max(gatherMs.value, (commitMs.value + statementUs.value / 1000) / Math.max(1 - busyMs, 0.01));
  return {
    cycleMs,
    patches: Math.max((perSecond * cycleMs) / 1000, 1),
    perSecond: Math.min(1000 / cycleMs, perSecond),
  };
}

export function snapshotsPerSecond({ patchesPerSecond }: Target, { pruneAfterBytes }: Givens): number {
  return (patchesPerSecond * 200) / pruneAfterBytes.value;
}

export function loadOf(asked: Target, given: Givens, servers: number): Load {
  const v = (name: keyof Givens) => given[name].value;
  const share = asked.patchesPerSecond / servers;
  const perQueue = share / asked.processes;
  const batch = batching(perQueue, given);
  const snapshots = snapshotsPerSecond(asked, given) / servers;
  const transactions = batch.perSecond * asked.processes + snapshots * 2; // a snapshot, and a pruning
  const cores =
    (share * (v('serverUs') + v('pruneUs') + v('vacuumUs')) +
      transactions * v('statementUs') +
      snapshots * (v('snapshotBytes') / 1e6) * v('saveMsPerMB') * 1000) /
    1e6;
  const log =
    share * (v('logBytes') + v('pruneLogBytes') + v('vacuumLogBytes')) +
    transactions * v('statementLogBytes') +
    snapshots * v('snapshotBytes') * v('snapshotLog');
  const wire = share * v('wireBytes') + snapshots * v('snapshotBytes');
  const connections = asked.processes * 2;
  return {
    servers,
    patchesPerStatement: batch.patches,
    transactionsPerSecond: transactions,
    connections,
    uses: [
      { what: 'write-ahead log', demand: log, capacity: v('logBytesPerSecond'), unit: 'bytes/s' },
      {
        what: 'VACUUM of `sds_patches`',
        demand: (share * v('vacuumUs')) / 1e6,
        capacity: v('vacuums'),
        unit: 'process',
      },
      { what: 'processors', demand: cores, capacity: v('cores'), unit: 'cores' },
      { what: 'network, in', demand: wire, capacity: v('networkBytesPerSecond'), unit: 'bytes/s' },
      { what: 'network, out to one standby', demand: log, capacity: v('networkBytesPerSecond'), unit: 'bytes/s' },
      {
        what: 'connections, at most two a process',
        demand: connections,
        capacity: v('connections'),
        unit: 'connections',
      },
    ],
  };
}

/** The fewest servers of which none is loaded with more than `most`. */
export function serversFor(asked: Target, given: Givens): number {
  for (let servers = 1; servers < 1000; servers++) {
    const { uses } = loadOf(asked, given, servers);
    if (uses.every(({ demand, capacity }) => demand <= capacity * given.most.value)) return servers;
  }
  return Number.NaN;
}

/** How many patches a second one server takes before something is loaded with more than `most`. */
export function mostOfOne(asked: Target, given: Givens): { perSecond: number; what: string } {
  const full = (perSecond: number) =>
    loadOf({ ...asked, patchesPerSecond: perSecond }, given, 1).uses.find(
      ({ demand, capacity }) => demand > capacity * given.most.value,
    );
  let [low, high] = [0, 100e6];
  while (high - low > 100) {
    const middle = (low + high) / 2;
    if (full(middle) === undefined) low = middle;
    else high = middle;
  }
  return { perSecond: low, what: full(high)?.what ?? '' };
}

export function metricOf(scenarios: readonly { name: string; medians: Record<string, Metrics> }[]): Measured {
  return (scenario, name, metric) =>
    scenarios.find((one) => one.name === scenario)?.medians[name]?.[metric] ?? Number.NaN;
}
