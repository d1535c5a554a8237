/** Stores as a whole: all that lies in one of them, as it is at one moment; their removal; and which there are. */
import type { StoreFound } from '../../protocol/service.ts';
import { Buffer } from '../../protocol/surroundings.ts';
import { textArray } from './arrays.ts';
import { deletionOfUnnamed, readWhole } from './chunks.ts';
import type { Connection, Reading, Statement } from './connection.ts';
import { nameOf } from './names.ts';
import { loadPatchesSince } from './patches.ts';
import { BEGIN_READING, COMMIT, inTransaction, settings, UNLIMITED } from './transactions.ts';

const BEFORE_ALL = Number.MIN_SAFE_INTEGER - 1;

/** The number of the snapshot, and the highest one; none of them counts if it is not there. */
const NUMBERS =
  'SELECT s, coalesce(greatest(s, p), 0) FROM (SELECT (SELECT clock FROM sds_snapshots WHERE store_id = $1) AS s, ' +
  '(SELECT max(clock) FROM sds_patches WHERE store_id = $1) AS p) AS numbers';

export function loadStore(connection: Connection, store: string): Promise<StoreFound> {
  return inTransaction(connection, async () => {
    const numbers = { text: NUMBERS, values: [store] };
    const results = await connection.run(BEGIN_READING, ...settings(connection), UNLIMITED, numbers);
    const [ofSnapshot = null, last] = results.at(-1)?.rows[0] ?? [];
    const found = {
      snapshot: ofSnapshot === null ? undefined : await readWhole(connection, 'sds_snapshots', store),
      snapshotClock: ofSnapshot === null ? undefined : Number(ofSnapshot),
      patches: await loadPatchesSince(connection, store, BEFORE_ALL),
      lastClock: Number(last),
    };
    await connection.run(COMMIT);
    return found;
  });
}

/** What others commit meanwhile stays: each statement takes what it sees. */
export function removalOfStores(stores: readonly string[]): Statement[] {
  const values = [textArray(stores)];
  const of = (table: string) => ({ text: `DELETE FROM ${table} WHERE store_id = ANY($1::text[])`, values });
  return [...['sds_patches', 'sds_snapshots', 'sds_records'].map(of), deletionOfUnnamed('sds_snapshots', stores)];
}

/** From one store to the next, by the index: the rows of each are too many to look at all of them. */
const storesOf = (table: string) =>
  `(WITH RECURSIVE found AS ((SELECT store_id FROM ${table} ORDER BY store_id LIMIT 1) UNION ALL ` +
  `SELECT (SELECT store_id FROM ${table} WHERE store_id > found.store_id ORDER BY store_id LIMIT 1) ` +
  'FROM found WHERE found.store_id IS NOT NULL) SELECT store_id FROM found WHERE store_id IS NOT NULL)';

const LIST =
  'SELECT coalesce(name, store_id) FROM (SELECT store_id FROM sds_snapshots UNION ' +
  `${storesOf('sds_patches')} UNION ${storesOf('sds_records')}) AS stores LEFT JOIN sds_long_names ON short = store_id`;

export async function listStores(connection: Reading): Promise<string[]> {
  const { rows } = await connection.one({ text: LIST });
  const named = rows.map(([stored]) => nameOf(String(stored))).map((name) => ({ name, bytes: Buffer.from(name) }));
  return named.sort((a, b) => Buffer.compare(a.bytes, b.bytes)).map(({ name }) => name);
}
