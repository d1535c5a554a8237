/** Statements on patches: many in one, those of numbers that were taken, and where both are to be kept; and their load. */
import type { PatchBlocks } from '../../protocol/patch-blocks.ts';
import { Blocks } from '../blocks.ts';
import { EngineError } from '../engine.ts';
import { textArray } from './arrays.ts';
import type { Connection, Reading, Result, Statement } from './connection.ts';
import type { Holder, Mark } from './holder.ts';
import type { PackedPatches, Positions } from './packed-patches.ts';

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

/** Inserts patches whose numbers are free. */
export function insertionOfNew(packed: PackedPatches, positions: Positions = 'all'): Statement {
  const { store, from } = source(packed, false);
  return { text: `${INTO} SELECT ${store}, u.c, u.d FROM ${from}`, values: packed.parameters(positions) };
}

/** Inserts patches; a number that is taken is left as it is. */
export function insertion(packed: PackedPatches, positions: Positions): Statement {
  const { text, values = [] } = insertionOfNew(packed, positions);
  return { text: `${text} ON CONFLICT (store_id, clock) DO NOTHING`, values };
}

/**
 * Inserts all of them or none, in one statement with the fence: none if this process was fenced or, of
 * one store, if there may be a taken number among them; of several, a taken number is an error (23505). Without `ON CONFLICT`, which
 * costs the server two thirds more for each row (measured for 4,096 patches of 200 bytes: 196,000 a second against 334,000).
 */
export function insertionOfAll(packed: PackedPatches, holder: Holder, point: Mark): Statement {
  const parameters = packed.parameters('all');
  const { text, values } = holder.update(parameters.length + 1, point);
  const next = parameters.length + 1 + values.length;
  const { store, from } = source(packed, false);
  const free = packed.isOfOneStore
    ? ` AND NOT EXISTS (SELECT 1 FROM sds_patches WHERE store_id = $1::text AND clock BETWEEN $${next} AND $${next + 1})`
    : '';
  return {
    text: `WITH held AS (${text}${free} RETURNING 1) ` + `${INTO} SELECT ${store}, u.c, u.d FROM ${from}, held`,
    values: [...parameters, ...values, ...(packed.isOfOneStore ? packed.range.map(String) : [])],
  };
}

/** Asks which of the patches that were to be inserted have a number that is taken by other bytes: see `collidedIn`. */
export function collisions(packed: PackedPatches, positions: Positions): Statement {
  const { store, from } = source(packed, true);
  const text = `SELECT u.n FROM ${from} JOIN sds_patches p ON p.store_id = ${store} AND p.clock = u.c WHERE p.data <> u.d`;
  return { text, values: packed.parameters(positions) };
}

/** Their positions. */
export function collidedIn(found: Result | undefined, positions: Positions): number[] {
  return (found?.rows ?? []).map(([n]) => (positions === 'all' ? Number(n) - 1 : (positions[Number(n) - 1] ?? 0)));
}

export async function collidedOf(connection: Reading, packed: PackedPatches, positions: Positions): Promise<number[]> {
  const { text, values = [] } = collisions(packed, positions);
  return collidedIn(await connection.one(text, ...values), positions);
}

export async function loadPatchesSince(connection: Reading, store: string, clock: number): Promise<PatchBlocks> {
  const blocks = new Blocks();
  const those = `FROM sds_patches WHERE store_id = ${connection.escapeLiteral(store)} AND clock > ${clock} ORDER BY clock`;
  await connection.read(['data'], those, (data) => blocks.add(data));
  return blocks.end();
}

/** Deletes the patches below a number, of each of several stores. */
export function pruning(numbers: ReadonlyMap<string, number>): Statement[] {
  return [...numbers].map(([store, clock]) => ({
    text: 'DELETE FROM sds_patches WHERE store_id = $1 AND clock < $2',
    values: [store, String(clock)],
  }));
}

/** Within a transaction: stores patches in order, where both are kept under the next free number if numbers meet. */
export class CarefulInsertion {
  readonly #connection: Connection;
  /** Highest number of each store that keeps both, as far as it is known. */
  readonly #highest = new Map<string, number>();
  /** Positions that can be inserted by one statement: no two of them have the same number. */
  #run: number[] = [];
  #numbers = new Set<string>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Told when patches of stores are deleted, or inserted elsewhere. */
  forget(): void {
    this.#highest.clear();
  }

  /** Returns the positions of patches that are lost: their number is taken, and their provider does not keep both. */
  async insert(packed: PackedPatches): Promise<number[]> {
    const lost: number[] = [];
    await this.#findHighest(packed);
    for (let position = 0; position < packed.count; position++) {
      const store = packed.storeAt(position);
      const clock = packed.clocks[position] ?? 0;
      const keeps = packed.keepers.has(position);
      const mayFollow = keeps ? clock > (this.#highest.get(store) ?? 0) : !this.#numbers.has(`${clock} ${store}`);
      if (!mayFollow) await this.#insertRun(packed, lost);
      if (!mayFollow && keeps) {
        await this.#keep(store, clock, packed.bytesOf(position));
        continue;
      }
      this.#run.push(position);
      this.#numbers.add(`${clock} ${store}`);
      const highest = this.#highest.get(store);
      if (highest !== undefined && clock > highest) this.#highest.set(store, clock);
    }
    await this.#insertRun(packed, lost);
    return lost;
  }

  async #findHighest(packed: PackedPatches): Promise<void> {
    const keeping = new Set([...packed.keepers].map((position) => packed.storeAt(position)));
    const unknown = [...keeping].filter((store) => !this.#highest.has(store));
    if (unknown.length === 0) return;
    const { rows } = await this.#connection.one(
      'SELECT store_id, max(clock) FROM sds_patches WHERE store_id = ANY($1::text[]) GROUP BY store_id',
      textArray(unknown),
    );
    for (const store of unknown) this.#highest.set(store, Number.NEGATIVE_INFINITY);
    for (const [store, highest] of rows) this.#highest.set(store ?? '', Number(highest));
  }

  async #insertRun(packed: PackedPatches, lost: number[]): Promise<void> {
    const run = this.#run;
    if (run.length === 0) return;
    this.#run = [];
    this.#numbers = new Set();
    const { text, values = [] } = insertion(packed, run);
    const { count } = await this.#connection.one(text, ...values);
    if (count === run.length) return;
    for (const position of await collidedOf(this.#connection, packed, run)) {
      // of one that is kept: another process has taken that number at this moment
      if (packed.keepers.has(position)) {
        await this.#keep(packed.storeAt(position), packed.clocks[position] ?? 0, packed.bytesOf(position));
      } else lost.push(position);
    }
  }

  /** As in an SQLite file: see `PatchWriter`, which says why the same bytes on the way count. */
  async #keep(store: string, clock: number, bytes: Buffer): Promise<void> {
    for (;;) {
      const free = await this.#firstFree(store, clock);
      if (await this.#isStored(store, clock, free, bytes)) return;
      if (!(await this.#insertAt(store, free, bytes))) continue; // another process was faster
      this.#highest.set(store, Math.max(this.#highest.get(store) ?? free, free));
      return;
    }
  }

  async #insertAt(store: string, clock: number, bytes: Buffer): Promise<boolean> {
    const { count } = await this.#connection.one(
      'INSERT INTO sds_patches (store_id, clock, data) VALUES ($1, $2, $3) ON CONFLICT (store_id, clock) DO NOTHING',
      store,
      String(clock),
      bytes,
    );
    return count > 0;
  }

  async #isStored(store: string, from: number, to: number, bytes: Buffer): Promise<boolean> {
    const { rows } = await this.#connection.one(
      'SELECT 1 FROM sds_patches WHERE store_id = $1 AND clock >= $2 AND clock < $3 AND data = $4 LIMIT 1',
      store,
      String(from),
      String(to),
      bytes,
    );
    return rows.length > 0;
  }

  /** OFFSET 0 keeps it a look into the index for each row: a join is slow where nothing is known of a store's rows yet. */
  async #firstFree(store: string, clock: number): Promise<number> {
    const { rows } = await this.#connection.one(
      'SELECT p.clock + 1 FROM sds_patches p WHERE p.store_id = $1 AND p.clock >= $2 AND NOT EXISTS ' +
        '(SELECT 1 FROM sds_patches q WHERE q.store_id = p.store_id AND q.clock = p.clock + 1 OFFSET 0) ' +
        'AND EXISTS (SELECT 1 FROM sds_patches r WHERE r.store_id = $1 AND r.clock = $2) ORDER BY p.clock LIMIT 1',
      store,
      String(clock),
    );
    const free = rows[0] === undefined ? clock : Number(rows[0][0]);
    if (Number.isSafeInteger(free)) return free;
    throw new EngineError('invalid-argument', { message: `there is no free number above ${clock}` });
  }
}
