/** Ways to get a large snapshot out of SQLite, on one thread. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { insertSnapshot, schema, selectSnapshot } from '../drivers/schema.ts';
import { median, randomBytes } from '../measure.ts';
import type { Work } from '../work/work.ts';

const lengthOf = (row: Record<string, unknown> | undefined) =>
  row?.data instanceof Uint8Array ? row.data.byteLength : Number.NaN;

export const read: Work = async ({ folder, sizes }) => {
  const { bytes = 1024, samples = 3, pageBytes = 4096, mapped = 0, cacheMiB = 2, pieces = 1 } = sizes;
  const path = join(folder, 'store.db');
  const filling = new DatabaseSync(path);
  filling.exec(`PRAGMA page_size = ${pageBytes}; PRAGMA journal_mode = WAL`);
  filling.exec(schema);
  filling.prepare(insertSnapshot).run('store', randomBytes(bytes));
  filling.close();
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA mmap_size = ${mapped === 1 ? 2 * bytes : 0}; PRAGMA cache_size = ${-1024 * cacheMiB}`);
  const whole = database.prepare(selectSnapshot);
  const piece = database.prepare('SELECT substr(data, ?, ?) AS data FROM snapshots WHERE store_id = ?');
  const costs: number[] = [];
  for (let sample = 0; sample <= samples; sample++) {
    const start = performance.now();
    let found = 0;
    if (pieces === 1) found = lengthOf(whole.get('store'));
    else {
      const snapshot = new Uint8Array(bytes);
      const size = Math.ceil(bytes / pieces);
      for (let at = 0; at < bytes; at += size) {
        const row = piece.get(at + 1, size, 'store');
        found += lengthOf(row);
        snapshot.set(row?.data as Uint8Array, at);
      }
    }
    costs.push(performance.now() - start);
    if (found !== bytes) throw new Error(`${found} bytes were read, not ${bytes}`);
  }
  database.close();
  return { wholeMs: median(costs.slice(1)) };
};
