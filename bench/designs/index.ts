/**
 * Designs that were tried for the work that limits the provider, each measured by itself: the first line of
 * each table is the one that is built in.
 */
import type { Case, Scenario } from '../scenarios.ts';
import { postgresqlDesigns } from './postgresql.ts';

type Sizes = Record<string, number>;

const MiB = 1024 * 1024;

function design(
  name: string,
  title: string,
  work: string,
  variants: Record<string, Sizes>,
  full: Sizes,
  quick: Sizes,
): Scenario {
  const cases: Case[] = Object.entries(variants).map(([variant, sizes]) => ({
    name: variant,
    driver: 'nothing',
    sizes,
  }));
  return {
    name,
    title,
    work,
    cases,
    full: { rounds: 1, sizes: full },
    quick: { rounds: 1, sizes: quick },
    isDesign: true,
    once: true,
  };
}

export const designs: Scenario[] = [
  design(
    'design-insert',
    'inserting patches of 200 bytes, one thread',
    'insert',
    {
      '32 rows a statement, 4,000 a transaction, the log used again': {},
      '1 row a statement': { rows: 1 },
      '8 rows a statement': { rows: 8 },
      '128 rows a statement': { rows: 128 },
      'ON CONFLICT DO NOTHING instead of OR IGNORE': { upsert: 1 },
      '20,000 rows a transaction': { transaction: 20_000 },
      '20,000 rows a transaction, a page cache of 64 MB': { transaction: 20_000, cacheMiB: 64 },
      'the log cut after each checkpoint': { cut: 1 },
      'pages of 16 KB': { pageBytes: 16_384 },
      'bytes that need no view': { made: 1 },
      '512 patches as one value, taken apart by substr and json_each': { joined: 1 },
      'the same, all of one length and numbered without a gap': { joined: 2 },
    },
    { count: 102_400, bursts: 4 },
    { count: 10_240, bursts: 1 },
  ),
  design(
    'design-stores',
    'patches of 1,000 stores in turn, one thread',
    'insert',
    {
      '16,000 rows a transaction, in order by store': { stores: 1000, transaction: 16_000, sorted: 1 },
      '4,000 rows a transaction, in order by store': { stores: 1000, transaction: 4000, sorted: 1 },
      '16,000 rows a transaction, as they come': { stores: 1000, transaction: 16_000 },
      '16,000 rows in order, a page cache of 16 MB': { stores: 1000, transaction: 16_000, sorted: 1, cacheMiB: 16 },
      'one store': { transaction: 16_000 },
    },
    { count: 96_000, bursts: 3 },
    { count: 16_000, bursts: 1 },
  ),
  design(
    'design-wakes',
    'telling a thread of 1,000 batches that another one finishes',
    'wakes',
    {
      'Atomics.notify, at most once a ms': { way: 0 },
      'Atomics.notify for each batch': { way: 1 },
      'a message for each batch': { way: 2 },
    },
    { batches: 1000, workMs: 0.1, samples: 5 },
    { batches: 100, workMs: 0.1, samples: 1 },
  ),
  design(
    'design-promise-all',
    'awaiting 100,000 calls by Promise.all',
    'promiseAll',
    {
      'a promise that knows who waits, for 1,000 calls': { sharing: 1000 },
      'a native promise for 1,000 calls': { kind: 0, sharing: 1000 },
      'a promise that knows it by its `then` alone, for 1,000 calls': { kind: 2, sharing: 1000 },
      'a promise that knows who waits, for each call': {},
      'a native promise for each call': { kind: 0 },
      'a promise that knows it by its `then` alone, for each call': { kind: 2 },
    },
    { count: 100_000, samples: 9 },
    { count: 10_000, samples: 1 },
  ),
  design(
    'design-hand-over',
    'handing over 64 MB',
    'handOver',
    {
      'a message': { way: 0 },
      'a Comlink call': { way: 1 },
      'a message, after 300 others': { way: 0, warm: 300 },
      'a Comlink call, after 300 others': { way: 1, warm: 300 },
    },
    { bytes: 64 * MiB, samples: 5 },
    { bytes: 8 * MiB, samples: 1 },
  ),
  ...[
    { size: '64 MB', bytes: 64 * MiB, samples: 5 },
    { size: '64 KB', bytes: 64 * 1024, samples: 1000 },
  ].map(({ size, bytes, samples }) =>
    design(
      `design-copy-${size.replace(' ', '').toLowerCase()}`,
      `copying ${size}`,
      'copyOne',
      {
        'into shared memory that was used before': { memory: 2 },
        'into fresh shared memory': { memory: 1 },
        'into a fresh buffer': { memory: 0 },
      },
      { bytes, samples },
      { bytes, samples: 1 },
    ),
  ),
  design(
    'design-read',
    'reading a snapshot of 64 MB, one thread',
    'read',
    {
      'as one value': {},
      'a page cache of 128 MB': { cacheMiB: 128 },
      'the file mapped into memory': { mapped: 1 },
      'pages of 16 KB': { pageBytes: 16_384 },
      'in 8 pieces': { pieces: 8 },
    },
    { bytes: 64 * MiB, samples: 5 },
    { bytes: 8 * MiB, samples: 1 },
  ),
  design(
    'design-delays',
    'delays of an event loop beside another thread',
    'delays',
    {
      'no other thread': {},
      'a thread that computes 0.2 ms each ms': { shortMs: 0.2, longMs: 0.2 },
      'a thread that computes 0.2 ms each ms, and 20 ms now and then': { shortMs: 0.2, longMs: 20 },
      'a thread that writes 40 KB each ms, and 8 MB now and then': { shortBytes: 40_960, longBytes: 8 * MiB },
      'the same, at a lower priority': { shortBytes: 40_960, longBytes: 8 * MiB, nice: 5 },
    },
    { seconds: 5, ownMs: 0.05 },
    { seconds: 0.5, ownMs: 0.05 },
  ),
  {
    name: 'design-awaiting',
    title: 'one awaited call: ways to wake the worker and to be woken by it',
    work: 'awaiting',
    cases: [{ name: 'together', driver: 'nothing' }],
    full: { rounds: 1, sizes: { warm: 2000, rounds: 8, count: 400, spacedCount: 50 } },
    quick: { rounds: 1, sizes: { warm: 100, rounds: 1, count: 20, spacedCount: 2 } },
    isDesign: true,
    together: true,
    once: true,
  },
  design(
    'design-starting',
    'starting a worker, once a process',
    'starting',
    {
      'code as text, a database made': { depth: 2 },
      'code in a file, a database made': { depth: 2, fromFile: 1 },
      'code as text, node:sqlite loaded, no database': { depth: 1 },
      'code as text, nothing loaded': { depth: 0 },
    },
    {},
    {},
  ),
  ...postgresqlDesigns,
];
