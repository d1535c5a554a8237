/**
 * `npm run scale`: what the design does with many stores on PostgreSQL, calculated from what the benchmark has measured
 * (bench/results.json) and from assumptions that it names. `-- --help` tells the options; `-- --publish` writes docs/scale.md.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fillIn } from './fill-in.ts';
import { markdown } from './markdown.ts';
import type { Results } from './results.ts';
import {
  type Givens,
  givens,
  loadOf,
  type Measured,
  metricOf,
  mostOfOne,
  serversFor,
  serviceMs,
  snapshotsPerSecond,
  type Target,
  target,
} from './scale-model.ts';
import { digits, plain } from './table.ts';

type Rows = string[][];

const folder = import.meta.dirname;
const document = join(folder, '../docs/scale.md');

function amount(value: number, unit: string): string {
  const large = ['', 'k', 'M', 'G', 'T'];
  if (!unit.startsWith('bytes')) return `${digits(value)} ${unit}`;
  const power = Math.max(Math.min(Math.floor(Math.log10(value) / 3), 4), 0);
  return power === 0 ? `${digits(value)} ${unit}` : `${digits(value / 1000 ** power)} ${large[power]}B${unit.slice(5)}`;
}

const count = (value: number): string => Math.round(value).toLocaleString('en-US');
/** Two digits: more would be a claim. */
const about = (value: number): string => (value >= 100 ? count(Number(value.toPrecision(2))) : digits(value));

function givenRows(given: Givens): Rows {
  const all = Object.values(given);
  const row = ({ value, unit, what, from }: (typeof all)[number]) => [
    `${amount(value, unit)} ${what}`,
    from === undefined ? 'assumed' : `measured: \`${from}\``,
  ];
  return [
    ['figure', 'from'],
    ...all.filter(({ from }) => from !== undefined).map(row),
    ...all.filter(({ from }) => from === undefined).map(row),
  ];
}

function useRows(asked: Target, given: Givens, servers: number): Rows {
  const one = loadOf(asked, given, 1);
  const each = loadOf(asked, given, servers);
  const rows = one.uses.map(({ what, demand, capacity, unit }, i) => ({
    what,
    capacity: amount(capacity, unit),
    whole: amount(demand, unit),
    times: demand / capacity,
    each: each.uses[i] ?? { demand: Number.NaN, capacity: Number.NaN },
    unit,
  }));
  rows.sort((a, b) => b.times - a.times);
  return [
    ['what is asked of the database', 'by all', 'a server has', 'of one server', `of each of ${servers}`],
    ...rows.map(({ what, whole, capacity, times, each: of }) => [
      what,
      whole,
      capacity,
      `${digits(times * 100)}%`,
      `${digits((of.demand / of.capacity) * 100)}%`,
    ]),
  ];
}

function figureRows(asked: Target, given: Givens, servers: number): Rows {
  const v = (name: keyof Givens) => given[name].value;
  const { stores, patchesPerSecond, processes } = asked;
  const load = loadOf(asked, given, servers);
  const snapshots = snapshotsPerSecond(asked, given);
  const perProcess = patchesPerSecond / processes;
  const storesEach = stores / processes;
  const log = (load.uses.find(({ what }) => what === 'write-ahead log')?.demand ?? 0) * servers;
  const livePatches = stores * (v('pruneAfterBytes') / 2 / 200) * v('diskBytes');
  const liveSnapshots = stores * v('snapshotBytes') * 2;
  const row = (what: string, all: string, process: string, server: string) => [what, all, process, server];
  const split = (what: string, all: number, unit = '') =>
    row(what, `${about(all)}${unit}`, `${about(all / processes)}${unit}`, `${about(all / servers)}${unit}`);
  const bytes = (what: string, all: number, unit = 'bytes/s') =>
    row(what, amount(all, unit), amount(all / processes, unit), amount(all / servers, unit));
  return [
    ['', 'in all', 'a process', 'a database server'],
    split('stores, and rows in each of `sds_stores`, `sds_claims`, `sds_snapshots`', stores),
    split('patches a second: rows inserted, and as many pruned', patchesPerSecond),
    split(
      'transactions a second that store patches, a statement each',
      load.transactionsPerSecond * servers - snapshots * 2,
    ),
    row('patches in a statement', '', '', about(load.patchesPerStatement)),
    row(
      "updates a second of a process's own row in `sds_holders`",
      '',
      `${about((load.transactionsPerSecond - (snapshots * 2) / servers) / processes)} on each server`,
      about(load.transactionsPerSecond - (snapshots * 2) / servers),
    ),
    split('snapshots saved, and prunings, a second (some 10 statements)', snapshots),
    row(
      'connections, one each; a second one while a lease has to be renewed meanwhile',
      `${processes * servers}`,
      `${servers}`,
      `${processes}`,
    ),
    row(
      'leases renewed a second by statements of their own: with traffic none; of idle processes',
      digits((processes * servers * 3000) / v('leaseMs')),
      digits((servers * 3000) / v('leaseMs')),
      digits((processes * 3000) / v('leaseMs')),
    ),
    bytes('bytes of patches a second', patchesPerSecond * 200),
    bytes('write-ahead log', log),
    row(
      'write-ahead log a day, if it is archived',
      amount(log * 86_400, 'bytes'),
      '',
      amount((log * 86_400) / servers, 'bytes'),
    ),
    row(
      'patches on the disk, pruned in time',
      amount(livePatches, 'bytes'),
      '',
      amount(livePatches / servers, 'bytes'),
    ),
    row(
      'the same, never pruned: growth a day',
      amount(patchesPerSecond * 86_400 * v('diskBytes'), 'bytes'),
      '',
      amount((patchesPerSecond * 86_400 * v('diskBytes')) / servers, 'bytes'),
    ),
    row(
      'snapshots on the disk, each with the one before it',
      amount(liveSnapshots, 'bytes'),
      '',
      amount(liveSnapshots / servers, 'bytes'),
    ),
    row("a process's main thread", '', `${digits((perProcess * v('mainUs')) / 10_000)}% of a core`, ''),
    row("a process's other threads", '', `${digits((perProcess / 20_000) * v('workerPercent'))}% of a core`, ''),
    row('a process starts: its stores are claimed in', '', `${digits((storesEach * v('claimMs')) / 1000)} s`, ''),
    row(
      'a process is lost: its stores can be taken over after a lease, by all others in',
      '',
      `${digits(((storesEach / Math.max(processes - 1, 1)) * v('claimMs')) / 1000)} s`,
      '',
    ),
  ];
}

function growthRows(asked: Target, given: Givens): Rows {
  const rates = [1000, 10_000, 100_000, asked.patchesPerSecond].filter((rate, i, all) => all.indexOf(rate) === i);
  return [
    ['patches a second', 'database servers', 'what fills them first', 'its share', 'write-ahead log'],
    ...rates.map((patchesPerSecond) => {
      const one = { ...asked, patchesPerSecond };
      const servers = serversFor(one, given);
      const { uses } = loadOf(one, given, servers);
      const [first] = uses.toSorted((a, b) => b.demand / b.capacity - a.demand / a.capacity);
      const log = uses.find(({ what }) => what === 'write-ahead log')?.demand ?? Number.NaN;
      return [
        count(patchesPerSecond),
        `${servers}`,
        first?.what ?? '',
        `${digits(((first?.demand ?? 0) / (first?.capacity ?? 1)) * 100)}%`,
        amount(log * servers, 'bytes/s'),
      ];
    }),
  ];
}

interface Tables {
  target: string;
  given: Rows;
  uses: Rows;
  figures: Rows;
  growth: Rows;
}

function measured(): Measured {
  const results = JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8')) as Results;
  return metricOf(results.scenarios);
}

/** What the calculation begins with, by the results of the benchmark. */
export function measuredGivens(): Givens {
  const given = givens(measured());
  const missing = Object.entries(given).filter(([, { value }]) => !Number.isFinite(value));
  if (missing.length > 0) {
    throw new Error(`bench/results.json has no figures for ${missing.map(([name]) => name).join(', ')}`);
  }
  return given;
}

export function calculate(asked: Target, given: Givens = measuredGivens()): Tables {
  const servers = serversFor(asked, given);
  const { stores, patchesPerSecond, processes } = asked;
  const most = mostOfOne(asked, given);
  return {
    target:
      `${count(stores)} stores, ${count(patchesPerSecond)} patches a second, ${processes} processes: ` +
      `**${servers} database server${servers === 1 ? '' : 's'}**. One alone takes ${about(most.perSecond)} patches a second of them, ` +
      `up to ${given.most.value * 100}% of its ${most.what}.`,
    given: givenRows(given),
    uses: useRows(asked, given, servers),
    figures: figureRows(asked, given, servers),
    growth: growthRows(asked, given),
  };
}

/** A sentence for the chapter on failover. */
function serviceLine(): string {
  const ms = serviceMs(measured());
  if (!Number.isFinite(ms)) throw new Error('bench/results.json has no figures for the scenario postgresql-failover');
  return `Measured from the promotion to the next commit: ${amount(ms, 'ms')}.`;
}

/** The document as it is to be, with the figures of now. */
export function filledIn(text: string): string {
  const tables = calculate(target);
  let filled = fillIn(text, 'scale target', tables.target);
  filled = fillIn(filled, 'scale service', serviceLine());
  for (const name of ['figures', 'uses', 'growth', 'given'] as const) {
    filled = fillIn(filled, `scale ${name}`, markdown(tables[name]));
  }
  return filled;
}

export function publishScale(): void {
  writeFileSync(document, filledIn(readFileSync(document, 'utf8')));
}

const help = `npm run scale -- [options]

  --stores N      documents (${count(target.stores)})
  --patches N     patches of 200 bytes a second (${count(target.patchesPerSecond)})
  --processes N   server processes (${target.processes})
  --publish       write docs/scale.md, for the numbers above
`;

if (import.meta.main) {
  const { values: options } = parseArgs({
    options: {
      stores: { type: 'string' },
      patches: { type: 'string' },
      processes: { type: 'string' },
      publish: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const number = (text: string | undefined, otherwise: number) => Math.max(Number(text ?? otherwise) || otherwise, 1);
  if (options.help) console.log(help);
  else if (options.publish) publishScale();
  else {
    const tables = calculate({
      stores: number(options.stores, target.stores),
      patchesPerSecond: number(options.patches, target.patchesPerSecond),
      processes: number(options.processes, target.processes),
    });
    console.log(`${tables.target.replaceAll('*', '')}\n`);
    for (const name of ['figures', 'uses', 'growth', 'given'] as const) console.log(`${plain(tables[name])}\n`);
  }
}
