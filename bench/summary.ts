/** A row for each piece of work: this package, the synchronous reference, and the best of the others. */
import type { Results } from './results.ts';
import { digits, titleOf } from './table.ts';

interface Line {
  work: string;
  unit: string;
  scenario: string;
  metric: string;
  /** The case of this package. */
  ours?: string;
  synchronous?: string;
  /** Without these, all cases that store something. */
  peers: readonly string[];
  isMoreBetter?: boolean;
}

const paced = [200, 1000, 5000, 20_000].map(
  (rate): Line => ({
    work: `patches as they come, ${rate.toLocaleString('en-US')} a second: main thread a patch`,
    unit: 'µs',
    scenario: 'paced',
    metric: `mainUs at ${rate}`,
    peers: ['comlink', 'lmdb'],
  }),
);
const databases = ['comlink', 'lmdb-copy', 'classic-level', 'libsql', 'better-sqlite3'];
const yjsPeers = ['y-leveldb', 'insert-yjs'];

const lines: readonly Line[] = [
  ...paced,
  { work: 'burst of 100,000: main thread a patch', unit: 'µs', scenario: 'burst', metric: 'mainUs', peers: databases },
  {
    work: 'burst of 100,000: committed a second',
    unit: '',
    scenario: 'burst',
    metric: 'perSecond',
    peers: databases,
    isMoreBetter: true,
  },
  { work: 'one call at a time, awaited: latency', unit: 'µs', scenario: 'one', metric: 'p50Us', peers: databases },
  { work: 'the same: main thread a call', unit: 'µs', scenario: 'one', metric: 'mainUs', peers: databases },
  { work: 'snapshot of 64 MB: the call blocks', unit: 'ms', scenario: 'snapshot', metric: 'blockedMs', peers: [] },
  {
    work: 'the same, handed over by `transfer`',
    unit: 'ms',
    scenario: 'snapshot',
    metric: 'blockedMs',
    ours: 'provider-transfer',
    peers: [],
  },
  {
    work: 'loading it: main thread',
    unit: 'ms',
    scenario: 'load',
    metric: 'snapshotMainMs',
    peers: ['lmdb', 'classic-level'],
  },
  { work: 'mixed load: event-loop delay, p99.9', unit: 'ms', scenario: 'mixed', metric: 'p999Ms', peers: [] },
  { work: 'import to first append', unit: 'ms', scenario: 'start', metric: 'firstAppendMs', peers: [] },
  { work: 'idle process with one file', unit: 'MiB', scenario: 'memory', metric: 'idleMiB', peers: [] },
  {
    work: '20 documents of Yjs, 1,000 updates a second: main thread an update',
    unit: 'µs',
    scenario: 'documents-20-at-1000',
    metric: 'mainUs',
    ours: 'provider-yjs',
    peers: yjsPeers,
  },
  {
    work: 'Hocuspocus, 5 documents of 2 MB: longest turn',
    unit: 'ms',
    scenario: 'documents-server-5-of-2',
    metric: 'turnMs',
    ours: 'provider-hocuspocus',
    peers: ['extension-sqlite'],
  },
  {
    work: 'Hocuspocus, killed while somebody types: characters lost',
    unit: '',
    scenario: 'documents-killed',
    metric: 'lost',
    ours: 'provider-hocuspocus',
    peers: ['extension-sqlite'],
  },
  {
    work: 'automerge-repo, 200 bytes a chunk: main thread a chunk',
    unit: 'µs',
    scenario: 'documents-automerge',
    metric: 'mainUs a chunk',
    ours: 'provider-automerge',
    peers: ['storage-nodefs'],
  },
];

export function summaryRows({ scenarios }: Results): string[][] {
  const rows = lines.flatMap((line) => {
    const medians = scenarios.find(({ name }) => name === line.scenario)?.medians;
    if (medians === undefined) return [];
    const figure = (name: string) => medians[name]?.[line.metric] ?? Number.NaN;
    const peers = line.peers.filter((name) => Number.isFinite(figure(name)));
    const [best] = peers.sort((a, b) => (line.isMoreBetter ? figure(b) - figure(a) : figure(a) - figure(b)));
    const shown = (name: string) =>
      Number.isFinite(figure(name)) ? `${digits(figure(name))} ${line.unit}`.trimEnd() : '–';
    return [
      [
        line.work,
        shown(line.ours ?? 'provider'),
        shown(line.synchronous ?? 'reference'),
        best === undefined ? '–' : `${shown(best)} (${titleOf(best)})`,
      ],
    ];
  });
  return [['work', 'this package', 'synchronous', 'best peer'], ...rows];
}
