/** Ways to get patches from shared memory into SQLite, on one thread: what the worker is made of. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { insertPatches, schema, withoutCheckpoints } from '../drivers/schema.ts';
import { median, patchesOf } from '../measure.ts';
import type { Work } from '../work/work.ts';

const BYTES = 200;
const ARENA_PATCHES = 160_000;
/** Of the way that hands SQLite many patches as one value. */
const PATCHES_A_VALUE = 512;

type Row = [store: string, clock: number, bytes: Uint8Array];

function open(folder: string, { pageBytes = 0, cacheMiB = 0 }: Readonly<Record<string, number>>): DatabaseSync {
  const database = new DatabaseSync(join(folder, 'store.db'));
  if (pageBytes > 0) database.exec(`PRAGMA page_size = ${pageBytes}`);
  if (cacheMiB > 0) database.exec(`PRAGMA cache_size = ${-1024 * cacheMiB}`);
  database.exec(withoutCheckpoints);
  database.exec(schema);
  return database;
}

/** Shared memory full of patches, one behind the other. */
function fillArena(): SharedArrayBuffer {
  const patches = patchesOf(BYTES, 1024);
  const arena = new SharedArrayBuffer(ARENA_PATCHES * BYTES);
  const bytes = new Uint8Array(arena);
  for (let i = 0; i < ARENA_PATCHES; i++) bytes.set(patches[i % 1024] as Uint8Array, i * BYTES);
  return arena;
}

/** Inserts rows, so many a statement. */
function inserter(database: DatabaseSync, rowsAStatement: number, upsert: boolean) {
  const prepare = (rows: number) => {
    const sql = insertPatches(rows);
    return database.prepare(upsert ? `${sql.replace(' OR IGNORE', '')} ON CONFLICT (store_id, clock) DO NOTHING` : sql);
  };
  const many = prepare(rowsAStatement);
  const one = prepare(1);
  let values: Row[number][] = [];
  return {
    add(store: string, clock: number, bytes: Uint8Array) {
      values.push(store, clock, bytes);
      if (values.length < 3 * rowsAStatement) return;
      many.run(...values);
      values = [];
    },
    flush() {
      for (let at = 0; at < values.length; at += 3) one.run(...values.slice(at, at + 3));
      values = [];
    },
  };
}

export const insert: Work = async ({ folder, sizes }) => {
  const { count = 1000, bursts = 2, rows = 32, transaction = 4000, stores = 1, sorted = 0 } = sizes;
  const { upsert = 0, cut = 0, made = 0, joined = 0 } = sizes;
  const database = open(folder, sizes);
  const arena = fillArena();
  const existing = patchesOf(BYTES, 1024);
  const names = Array.from({ length: stores }, (_, i) => `store ${i}`);
  const inserts = inserter(database, rows, upsert === 1);
  // of each patch, its number, and where in the value it lies
  const cutUp = database.prepare(
    'INSERT OR IGNORE INTO patches (store_id, clock, data) ' +
      "SELECT 'store', value ->> 0, substr(?1, value ->> 1, value ->> 2) FROM json_each(?2)",
  );
  // where all are of one length and numbered without a gap
  const cutEvenly = database.prepare(
    'INSERT OR IGNORE INTO patches (store_id, clock, data) ' +
      "SELECT 'store', ?2 + key, substr(?1, 1 + key * ?3, ?3) FROM json_each(?4)",
  );
  const keys = JSON.stringify(Array(PATCHES_A_VALUE).fill(0));
  let clock = 0;

  const rowOf = (i: number): Row => {
    const store = names[i % stores] as string; // a remainder is within bounds
    const bytes = made === 1 ? existing[i % 1024] : new Uint8Array(arena, (i % ARENA_PATCHES) * BYTES, BYTES);
    return [store, ++clock, bytes as Uint8Array];
  };
  const transact = (first: number, last: number) => {
    database.exec('BEGIN IMMEDIATE');
    if (joined > 0) {
      for (let i = first; i < last; i += PATCHES_A_VALUE) {
        const at = (i % (ARENA_PATCHES - PATCHES_A_VALUE)) * BYTES;
        const value = new Uint8Array(arena, at, PATCHES_A_VALUE * BYTES);
        if (joined === 1) {
          const places = Array.from({ length: PATCHES_A_VALUE }, (_, n) => [clock + 1 + n, 1 + n * BYTES, BYTES]);
          cutUp.run(value, JSON.stringify(places));
        } else cutEvenly.run(value, clock + 1, BYTES, keys);
        clock += PATCHES_A_VALUE;
      }
    } else if (sorted === 1) {
      const gathered = Array.from({ length: last - first }, (_, i) => rowOf(first + i));
      gathered.sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
      for (const row of gathered) inserts.add(...row);
      inserts.flush();
    } else {
      for (let i = first; i < last; i++) inserts.add(...rowOf(i));
      inserts.flush();
    }
    database.exec('COMMIT');
  };

  const rates: number[] = [];
  for (let burst = 0; burst <= bursts; burst++) {
    const start = performance.now();
    for (let i = 0; i < count; i += transaction) transact(i, Math.min(i + transaction, count));
    rates.push((count / (performance.now() - start)) * 1000);
    // between bursts, as the worker does when there is nothing else to do
    database.exec(`PRAGMA wal_checkpoint(${cut === 1 ? 'TRUNCATE' : 'PASSIVE'})`);
  }
  database.close();
  return { perSecond: median(rates.slice(1)) };
};
