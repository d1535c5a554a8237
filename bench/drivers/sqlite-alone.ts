/**
 * A limit: `node:sqlite` on the measured thread and nothing else, 32 rows a statement, in large
 * transactions, without checkpoints. Used call by call (`commitEach`), it is one prepared commit.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Driver } from './driver.ts';
import {
  insertPatch,
  insertPatches,
  insertSnapshot,
  schema,
  selectPatches,
  selectSnapshot,
  withoutCheckpoints,
} from './schema.ts';

const ROWS = 32;
const ROWS_A_TRANSACTION = 20_000;

export const sqliteAlone: Driver = {
  title: 'SQLite alone',
  committed: 'COMMIT every 20,000 rows, in WAL mode, synchronous = NORMAL, without checkpoints',
  sharesFile: true,
  open(folder) {
    const database = new DatabaseSync(join(folder, 'store.db'));
    database.exec(withoutCheckpoints);
    database.exec(schema);
    const one = database.prepare(insertPatch);
    const many = database.prepare(insertPatches(ROWS));
    const snapshot = database.prepare(selectSnapshot);
    const patches = database.prepare(selectPatches);
    let values: (string | number | Uint8Array)[] = [];
    let inTransaction = 0;
    const commit = () => {
      if (inTransaction > 0) database.exec('COMMIT');
      inTransaction = 0;
    };
    return {
      store: (id) => ({
        appendPatch(patch, clock) {
          values.push(id, clock, patch);
          if (values.length < 3 * ROWS) return;
          if (inTransaction === 0) database.exec('BEGIN IMMEDIATE');
          many.run(...values);
          values.length = 0;
          inTransaction += ROWS;
          if (inTransaction >= ROWS_A_TRANSACTION) commit();
        },
        saveSnapshot: (data) => void database.prepare(insertSnapshot).run(id, data),
        loadSnapshot: () => snapshot.all(id)[0]?.data as Uint8Array | undefined,
        loadPatchesSince: (clock) => patches.all(id, clock).map(({ data }) => data as Uint8Array),
      }),
      settle() {
        for (let at = 0; at < values.length; at += 3) one.run(...values.slice(at, at + 3));
        values = [];
        commit();
      },
      close: () => database.close(),
    };
  },
};
