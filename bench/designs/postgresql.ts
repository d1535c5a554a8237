/** Designs of the way into PostgreSQL, each by itself: the first line of each table is the one that is built in. */
import type { Case, Scenario } from '../scenarios.ts';
import { wayNumber } from './postgresql-insert.ts';
import { saveWays } from './postgresql-large.ts';

const MiB = 1024 * 1024;
const KiB = 1024;

type Sizes = Record<string, number>;
type Run = { rounds: number; sizes: Sizes };

function design(
  name: string,
  title: string,
  work: string,
  variants: Record<string, Sizes>,
  full: Run,
  quick: Run,
  once = false,
): Scenario {
  const cases: Case[] = Object.entries(variants).map(([variant, sizes]) => ({
    name: variant,
    driver: 'nothing',
    sizes,
  }));
  return { name, title, work, cases, full, quick, isDesign: true, once, family: 'postgresql', server: true };
}

const way = (name: string, sizes: Sizes = {}): Sizes => ({ way: wayNumber(name), ...sizes });
const save = (name: keyof typeof saveWays, sizes: Sizes = {}): Sizes => ({
  way: Object.keys(saveWays).indexOf(name),
  ...sizes,
});
const ofMany = { stores: 1000, batch: 4000 };

export const postgresqlDesigns: Scenario[] = [
  design(
    'design-postgresql-insert',
    'PostgreSQL: inserting patches of 200 bytes, one connection, 4,096 a statement unless it says otherwise',
    'postgresqlInsert',
    {
      'plain INSERT if no number of the range is taken, with the fence': way('guarded'),
      'the same, 1 patch a statement': way('guarded', { batch: 1, count: 500 }),
      'the same, 16 patches': way('guarded', { batch: 16, count: 8000 }),
      'the same, 256 patches': way('guarded', { batch: 256 }),
      'the same, 8,192 patches': way('guarded', { batch: 8192 }),
      'the same, two statements in flight': way('guarded', { inFlight: 2 }),
      'ON CONFLICT DO NOTHING, with the fence': way('onConflictHeld'),
      'ON CONFLICT DO NOTHING': way('onConflict'),
      'the packed statement: one value and offsets, ON CONFLICT': way('packed'),
      'NOT EXISTS for each row': way('notExists'),
      'ON CONFLICT, numbers as text': way('numbersAsText'),
      'ON CONFLICT, VALUES with 8,193 parameters': way('values'),
      'COPY, which knows no ON CONFLICT': way('copy'),
    },
    { rounds: 3, sizes: { count: 49_152, bursts: 3 } },
    { rounds: 1, sizes: { count: 8192, bursts: 1 } },
  ),
  design(
    'design-postgresql-stores',
    'PostgreSQL: four patches of each of 1,000 stores, one connection',
    'postgresqlInsert',
    {
      'the name of its store beside each patch, plain INSERT': way('many', ofMany),
      'the same, ON CONFLICT': way('manyOnConflict', ofMany),
      'each name once, and its place in that list, ON CONFLICT': way('manyByNumber', ofMany),
      'a statement a store in one transaction, sent without waiting': way('manyStatements', ofMany),
    },
    { rounds: 3, sizes: { count: 48_000, bursts: 3 } },
    { rounds: 1, sizes: { count: 8000, bursts: 1 } },
  ),
  design(
    'design-postgresql-save',
    'PostgreSQL: saving 64 MB, one connection',
    'postgresqlSave',
    {
      'COPY, rows of 256 KiB': save('copy'),
      'the same, the old rows deleted in the same transaction': save('copyAndDelete'),
      'COPY, rows of 1 MiB': save('copy', { chunk: MiB }),
      'COPY, rows of 8,000 bytes, none of them apart (PLAIN)': save('copy', { chunk: 8000, plain: 1 }),
      'COPY, rows of 256 KiB, never compressed (EXTERNAL)': save('copy', { external: 1 }),
      'INSERT of 1 MiB, taken apart by the server': save('cutByServer'),
      'INSERT of 4 MiB, taken apart by the server': save('cutByServer', { parameter: 4 * MiB }),
      'INSERT of 1 MiB, taken apart by the server, four in flight': save('cutByServer', { inFlight: 4 }),
      'INSERT of one row of 256 KiB, four in flight': save('cutByServer', { parameter: 256 * KiB, inFlight: 4 }),
      'INSERT of 4 MiB as an array of 16 rows': save('asArray', { parameter: 4 * MiB }),
    },
    { rounds: 3, sizes: { bytes: 64 * MiB, samples: 3 } },
    { rounds: 1, sizes: { bytes: 8 * MiB, samples: 1 } },
  ),
  design(
    'design-postgresql-load',
    'PostgreSQL: loading 64 MB, one connection',
    'postgresqlLoad',
    {
      'COPY, rows of 256 KiB': {},
      'COPY, rows of 1 MiB': { chunk: MiB },
      'COPY, rows of 64 KiB': { chunk: 64 * KiB },
      'COPY, rows of 8,000 bytes, none of them apart (PLAIN)': { chunk: 8000, plain: 1 },
      'SELECT, which comes as hexadecimal digits, 16 rows a statement': { rowsAStatement: 16 },
      'SELECT, all 256 rows by one statement': { rowsAStatement: 256 },
    },
    { rounds: 3, sizes: { bytes: 64 * MiB, samples: 3 } },
    { rounds: 1, sizes: { bytes: 8 * MiB, samples: 1 } },
  ),
  design(
    'design-postgresql-prune',
    'PostgreSQL: pruning patches of 200 bytes, and VACUUM afterwards, one connection; a patch',
    'postgresqlPrune',
    {
      'of one store, 49,152 by one statement': {},
      'of 96 stores, 512 by each statement': { stores: 96 },
    },
    { rounds: 3, sizes: { count: 49_152, samples: 3 } },
    { rounds: 1, sizes: { count: 9600, samples: 1 } },
  ),
  design(
    'design-postgresql-holder',
    'PostgreSQL: the row of the process, which each transaction updates, after so many updates',
    'postgresqlHolder',
    {
      'no other transaction': {},
      'another transaction is open since before that': { isOpen: 1 },
    },
    { rounds: 1, sizes: { most: 20_000 } },
    { rounds: 1, sizes: { most: 1000 } },
    true,
  ),
];
