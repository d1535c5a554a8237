/** Statements on patches: many in one, those of numbers that were taken, and where both are to be kept; and their load. */
import type { PackedBytes } from '../../protocol/packed-bytes.ts';
import { EngineError } from '../engine.ts';
import { Packer } from '../packer.ts';
import { textArray } from './arrays.ts';
import type { Connection, Reading, Statement } from './connection.ts';
import type { Holder, Mark } from './holder.ts';
import { PackedPatches } from './packed-patches.ts';

/** How a statement reads packed patches: each as `c` (number), `d` (bytes), and in its order `n`. */
function source(packed: PackedPatches, ordered: boolean): { store: string; from: string } {
  const order = ordered ? ' WITH ORDINALITY' : '';
  const n = ordered ? ', n' : '';
  if (packed.isOfOneStore) {
    return { store: '$1::text', from: `unnest($2::bigint[], $3::bytea[])${order} AS u(c, d${n})` };
  }
  return { store: 'u.s', from: `unnest($1::text[], $2::bigint[], $3::bytea[])${order} AS u(s, c, d${n})` };
}

const INTO = 'INSERT INTO sds_patches (store_id, clock, data)';

export function insertionOfNew(packed: PackedPatches): Statement {
  const { store, from } = source(packed, false);
  return { text: `${INTO} SELECT ${store}, u.c, u.d FROM ${from}`, values: packed.parameters };
}

/** Inserts patches; a number that is taken is left as it is. */
export function insertion(packed: PackedPatches): Statement {
  const { text, values = [] } = insertionOfNew(packed);
  return { text: `${text} ON CONFLICT (store_id, clock) DO NOTHING`, values };
}

/**
 * Inserts all of them or none, in one statement with the fence: none if this process was fenced or a number of one store may be taken;
 * of several stores, that is an error (23505). Without `ON CONFLICT`, which costs the server two thirds more for each row.
 */
export function insertionOfAll(packed: PackedPatches, holder: Holder, point: Mark): Statement {
  const { parameters } = packed;
  const { text, values } = holder.update(parameters.length + 1, point);
  const next = parameters.length + 1 + values.length;
  const { store, from } = source(packed, false);
  const free = packed.isOfOneStore
    ? ` AND NOT EXISTS (SELECT 1 FROM sds_patches WHERE store_id = $1::text AND clock BETWEEN $${next} AND $${next + 1})`
    : '';
  return {
    text: `WITH held AS (${text}${free} RETURNING 1) ` + `${INTO} SELECT ${store}, u.c, u.d FROM ${from}, held`,
    values: [
      ...parameters,
      ...values,
      ...(packed.isOfOneStore ? [String(packed.clocks[0]), String(packed.clocks.at(-1))] : []),
    ],
  };
}

/** Positions of the patches that were to be inserted, and whose number is taken by other bytes. */
export async function collidedOf(connection: Reading, packed: PackedPatches): Promise<number[]> {
  const { store, from } = source(packed, true);
  const text = `SELECT u.n FROM ${from} JOIN sds_patches p ON p.store_id = ${store} AND p.clock = u.c WHERE p.data <> u.d`;
  const { rows } = await connection.one({ text, values: packed.parameters });
  return rows.map(([n]) => Number(n) - 1);
}

export async function loadPatchesSince(connection: Reading, store: string, clock: number): Promise<PackedBytes> {
  const packer = new Packer();
  const those = `FROM sds_patches WHERE store_id = ${connection.escapeLiteral(store)} AND clock > ${clock} ORDER BY clock`;
  await connection.read(['data'], those, (data) => packer.add(data));
  return packer.end();
}

/** A deletion of all patches of a store below a number. */
export interface Pruning {
  store: string;
  below: number;
}

export function pruning({ store, below }: Pruning): Statement {
  return { text: 'DELETE FROM sds_patches WHERE store_id = $1 AND clock < $2', values: [store, String(below)] };
}

/**
 * Within a transaction: stores patches in order, some of them under the next free number if their own is taken. Returns by which those
 * are told apart that are lost: their number is taken, and their provider does not keep both.
 */
export async function insertCarefully(connection: Connection, packed: PackedPatches): Promise<number[]> {
  const lost: number[] = [];
  const highest = await highestOf(connection, new Set(Array.from(packed.keepers, (at) => packed.storeAt(at))));
  const note = (store: string, clock: number) => highest.set(store, Math.max(clock, highest.get(store) ?? clock));
  const taken = new Map<string, Stretch>();
  const keep = async (patches: PackedPatches, position: number) => {
    const store = patches.storeAt(position);
    const clock = patches.clocks[position] ?? 0;
    const found = taken.get(store);
    const stretch =
      found !== undefined && found.from <= clock && clock <= found.to ? found : { from: clock, to: clock };
    taken.set(store, stretch);
    note(store, await keepUnderFree(connection, store, clock, patches.bytesOf(position), stretch));
  };
  /** Those that are inserted by one statement. */
  let next = new PackedPatches();
  const insertNext = async () => {
    const run = next;
    next = new PackedPatches();
    if (run.count === 0) return;
    const { count } = await connection.one(insertion(run));
    if (count === run.count) return;
    for (const position of await collidedOf(connection, run)) {
      if (run.keepers.has(position))
        await keep(run, position); // another process has taken that number at this moment
      else lost.push(...run.entriesAt([position]));
    }
  };
  for (const [position, clock] of packed.clocks.entries()) {
    const store = packed.storeAt(position);
    if (packed.keepers.has(position) && clock <= (highest.get(store) ?? Number.NEGATIVE_INFINITY)) {
      await insertNext();
      await keep(packed, position);
    } else {
      next.addFrom(packed, position);
      note(store, clock);
    }
  }
  await insertNext();
  return lost;
}

async function highestOf(connection: Connection, stores: ReadonlySet<string>): Promise<Map<string, number>> {
  const text = 'SELECT store_id, max(clock) FROM sds_patches WHERE store_id = ANY($1::text[]) GROUP BY store_id';
  const { rows } = await connection.one({ text, values: [textArray([...stores])] });
  return new Map(rows.map(([store, highest]) => [store ?? '', Number(highest)]));
}

/** Numbers of which all below `to` are taken, so that none of them is looked for in the same transaction again. */
interface Stretch {
  from: number;
  to: number;
}

/**
 * The first free number from $3 on, and a taken one from $2 on that has these bytes. OFFSET 0 keeps it a look into the index for each
 * row: a join is slow where nothing is known of a store's rows yet.
 */
const FREE =
  'SELECT free, (SELECT clock FROM sds_patches WHERE store_id = $1 AND clock >= $2 AND clock < free AND data = $4 LIMIT 1) ' +
  'FROM (SELECT coalesce((SELECT p.clock + 1 FROM sds_patches p WHERE p.store_id = $1 AND p.clock >= $3 AND NOT EXISTS ' +
  '(SELECT 1 FROM sds_patches q WHERE q.store_id = p.store_id AND q.clock = p.clock + 1 OFFSET 0) ' +
  'AND EXISTS (SELECT 1 FROM sds_patches r WHERE r.store_id = $1 AND r.clock = $3) ' +
  'ORDER BY p.clock LIMIT 1), $3::bigint) AS free OFFSET 0) AS f';

/** As in an SQLite file: see `PatchWriter`, which says why the same bytes on the way count. Returns the number where they are. */
async function keepUnderFree(
  connection: Connection,
  store: string,
  clock: number,
  bytes: Buffer,
  stretch: Stretch,
): Promise<number> {
  for (let tried: number | undefined; ; tried = stretch.to) {
    const { rows } = await connection.one({ text: FREE, values: [store, String(clock), String(stretch.to), bytes] });
    const [free, same] = rows[0]?.map((number) => (number === null ? undefined : Number(number))) ?? [];
    if (same !== undefined) return same;
    if (free === undefined || !Number.isSafeInteger(free)) {
      throw new EngineError('invalid-argument', { message: `there is no free number above ${clock}` });
    }
    if (free === tried) {
      const message = `nothing is stored under the free number ${free}: does a trigger or a rule keep rows out of sds_patches?`;
      throw new EngineError('io-error', { message }, true);
    }
    stretch.to = free;
    const { count } = await connection.one({
      text: `${INTO} VALUES ($1, $2, $3) ON CONFLICT (store_id, clock) DO NOTHING`,
      values: [store, String(free), bytes],
    });
    if (count > 0) return free; // otherwise another process was faster
  }
}
