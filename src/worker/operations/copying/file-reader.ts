/** Reads stores and values of a database file, in pieces that fit into memory. */
import type { DatabaseSync as Database, StatementSync } from 'node:sqlite';
import { firstRow } from '../../sqlite/node-sqlite.ts';
import { OperationError } from '../failure.ts';
import { pieces, ROWS_A_READ, storesOf } from '../files/copy-stores.ts';
import { textOf } from '../files/text.ts';
import { digestOf, PatchDigest } from './digest.ts';
import type { Patch, Reader, StorePrint, StoreSize, Value, ValuePrint } from './ends.ts';

export class FileReader implements Reader {
  readonly place: string;
  readonly check: () => void;
  readonly #database: Database;
  readonly #statements = new Map<string, StatementSync>();
  readonly #pause: () => Promise<void>;
  /** Names of the stores, and the bytes by which the file knows them. */
  #ids: Map<string, Uint8Array> | undefined;

  /** @param pause - called now and then in what takes long */
  constructor(database: Database, place: string, pause: () => Promise<void>, check: () => void = () => {}) {
    this.#database = database;
    this.place = place;
    this.#pause = pause;
    this.check = check;
  }

  /** Each is asked for every store. */
  #prepare(sql: string): StatementSync {
    const statement = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  get #look(): { database: Database } {
    return { database: this.#database };
  }

  #idOf(store: string): Uint8Array {
    this.#ids ??= storesOf(this.#look);
    return this.#ids.get(store) ?? new TextEncoder().encode(store);
  }

  async stores(): Promise<Map<string, StoreSize>> {
    const sizes = new Map<string, StoreSize>();
    const rows = this.#database
      .prepare(
        'SELECT CAST(store_id AS BLOB) AS id, count(*) AS patches, sum(length(data)) AS bytes, 0 AS snapshots FROM patches GROUP BY store_id ' +
          'UNION ALL SELECT CAST(store_id AS BLOB), 0, length(data), 1 FROM snapshots WHERE store_id IS NOT NULL',
      )
      .all();
    const spelled = new Map<string, string>();
    for (const { id, patches, bytes, snapshots } of rows) {
      const name = textOf(this.#look, id);
      const spelling = Buffer.from(id as Uint8Array).toString('hex');
      if ((spelled.get(name) ?? spelling) !== spelling) {
        this.#refuse(`two stores have the name ${JSON.stringify(name)}, which is no proper text in this file`);
      }
      spelled.set(name, spelling);
      const size = sizes.get(name) ?? { patches: 0, bytes: 0, hasSnapshot: false };
      sizes.set(name, {
        patches: size.patches + Number(patches),
        bytes: size.bytes + Number(bytes),
        hasSnapshot: size.hasSnapshot || snapshots === 1,
      });
    }
    return sizes;
  }

  async valueSize(): Promise<{ count: number; bytes: number }> {
    const row = firstRow(this.#prepare('SELECT count(*) AS count, total(length(data)) AS bytes FROM blobs'));
    return { count: Number(row?.count), bytes: Number(row?.bytes) };
  }

  async snapshot(store: string): Promise<Patch | undefined> {
    const sql = 'SELECT clock, data FROM snapshots WHERE store_id = CAST(? AS TEXT)';
    const row = firstRow(this.#prepare(sql), this.#idOf(store));
    return row === undefined ? undefined : this.#patchOf(row, store);
  }

  *patches(store: string): Generator<Patch[]> {
    const id = this.#idOf(store);
    const heads = this.#prepare(
      `SELECT clock, length(data) AS bytes FROM patches WHERE store_id = CAST(? AS TEXT) AND clock > ? ORDER BY clock LIMIT ${ROWS_A_READ}`,
    );
    const read = this.#prepare(
      'SELECT clock, data FROM patches WHERE store_id = CAST(? AS TEXT) AND clock BETWEEN ? AND ? ORDER BY clock',
    );
    for (let after = Number.MIN_SAFE_INTEGER - 1; ; ) {
      const rows = heads.all(id, after);
      for (const [first, last] of pieces(rows, 'clock')) {
        yield read.all(id, first as number, last as number).map((row) => this.#patchOf(row, store));
      }
      const last = rows.at(-1)?.clock;
      if (typeof last !== 'number' || last <= after) return;
      after = last;
    }
  }

  #patchOf({ clock, data }: Record<string, unknown>, store: string): Patch {
    if (Number.isSafeInteger(clock) && data instanceof Uint8Array) return { clock: clock as number, data };
    return this.#refuse(`store ${JSON.stringify(store)} has rows that no provider writes; 'verify' says which`);
  }

  #refuse(detail: string): never {
    throw new OperationError('database-corrupt', this.place, detail);
  }

  *values(): Generator<Value[]> {
    const heads = this.#prepare(
      `SELECT rowid AS row, length(data) AS bytes FROM blobs WHERE rowid > ? ORDER BY rowid LIMIT ${ROWS_A_READ}`,
    );
    const read = this.#prepare(
      'SELECT CAST(hash AS BLOB) AS hash, ref_count, data FROM blobs WHERE rowid BETWEEN ? AND ?',
    );
    for (let after = Number.MIN_SAFE_INTEGER; ; ) {
      const rows = heads.all(after);
      for (const [first, last] of pieces(rows, 'row')) {
        yield read.all(first as number, last as number).map((row) => this.#valueOf(row));
      }
      const last = rows.at(-1)?.row;
      if (typeof last !== 'number' || last <= after) return;
      after = last;
    }
  }

  #valueOf({ hash, ref_count, data }: Record<string, unknown>): Value {
    if (hash instanceof Uint8Array && Number.isSafeInteger(ref_count) && data instanceof Uint8Array) {
      return { hash: textOf(this.#look, hash), refCount: ref_count as number, data };
    }
    return this.#refuse("there are values that no provider writes; 'verify' says which");
  }

  async prints(patches: ReadonlyMap<string, number>): Promise<Map<string, StorePrint>> {
    const prints = new Map<string, StorePrint>();
    for (const store of patches.keys()) prints.set(store, await this.#print(store));
    return prints;
  }

  async #print(store: string): Promise<StorePrint> {
    const digest = new PatchDigest();
    let [count, bytes] = [0, 0];
    for (const patches of this.patches(store)) {
      for (const { clock, data } of patches) {
        digest.add(clock, data);
        count++;
        bytes += data.byteLength;
      }
      await this.#pause();
    }
    const snapshot = await this.snapshot(store);
    return {
      patches: count,
      patchBytes: bytes,
      patchDigest: digest.end(),
      snapshotClock: snapshot?.clock ?? null,
      snapshotBytes: snapshot?.data.byteLength ?? 0,
      snapshotDigest: snapshot === undefined ? '' : digestOf(snapshot.data),
    };
  }

  *valuePrints(): Generator<Map<string, ValuePrint>> {
    for (const values of this.values()) {
      yield new Map(values.map((value) => [value.hash, printOf(value)]));
    }
  }

  async valuePrintsOf(hashes: readonly string[]): Promise<Map<string, ValuePrint>> {
    const read = this.#prepare('SELECT ref_count, data FROM blobs WHERE hash = ?');
    const prints = new Map<string, ValuePrint>();
    for (const hash of hashes) {
      const row = firstRow(read, hash);
      if (row !== undefined) prints.set(hash, printOf(this.#valueOf({ ...row, hash: new TextEncoder().encode(hash) })));
    }
    return prints;
  }
}

function printOf({ refCount, data }: Pick<Value, 'refCount' | 'data'>): ValuePrint {
  return { refCount, bytes: data.byteLength, digest: digestOf(data) };
}
