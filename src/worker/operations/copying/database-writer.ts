/**
 * Writes what is moved into a PostgreSQL database: whole stores in each transaction, and with them what was done. The
 * stores belong to the copy until it has ended. A copy that was cut off goes on when it is called again: stores that are there
 * as the source has them are not copied again, and to each value the difference is added to what was added before.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { Statement } from '../../postgresql/connection.ts';
import { isLongName, nameOf, type StoredName, storedName } from '../../postgresql/names.ts';
import { prepareTables } from '../../postgresql/tables.ts';
import { CopyClaims } from './copy-claims.ts';
import { type CopyConnection, ServerFailure, textArray } from './copy-connection.ts';
import { CopyRecords } from './copy-records.ts';
import { DatabaseReader } from './database-reader.ts';
import { CHUNK_BYTES, writtenPrint } from './digest.ts';
import type { Series, Source, StorePrint, Value, Writer } from './ends.ts';
import { isThere } from './file-writer.ts';
import type { Meter } from './meter.ts';
import { insertPatches, insertSnapshots, insertValues, PackedRows } from './packed-rows.ts';

const NAMES_AT_A_TIME = 500;
const CHUNKS_AT_A_TIME = 16;
const VALUES_AT_A_TIME = 2048;
const BYTES_AT_A_TIME = 4 * 1024 * 1024;

export class DatabaseWriter implements Writer {
  readonly place: string;
  readonly reader: DatabaseReader;
  readonly #server: CopyConnection;
  readonly #overwrite: boolean;
  readonly #meter: Meter;
  readonly #claims: CopyClaims;
  readonly #records: CopyRecords;
  /** Sources by their identity; the name under which a copy of it is claimed. */
  readonly #copies = new Map<string, string>();
  /** Copies that were cut off. */
  readonly #begunBefore = new Set<string>();
  #hasClaims = false;

  constructor(server: CopyConnection, overwrite: boolean, leaseMs: number, meter: Meter) {
    this.#server = server;
    this.place = server.place;
    this.reader = new DatabaseReader(server, () => meter.step());
    this.#overwrite = overwrite;
    this.#meter = meter;
    this.#claims = new CopyClaims(server, leaseMs);
    this.#records = new CopyRecords(server);
  }

  async begin(sources: readonly Source[]): Promise<void> {
    await this.#server.use((connection) => prepareTables(connection, true));
    await this.#claims.begin();
    this.#hasClaims = true;
    for (const { identity } of sources) this.#copies.set(identity, `\\copy ${keyOf(identity)}`);
    // a name with a single backslash is no store's
    await this.#claims.claim([...this.#copies.values()], () => 'a copy of the same source', true);
    const places = new Map(sources.map(({ identity, reader }) => [keyOf(identity), reader.place]));
    for (const copy of await this.#records.begin(places, this.#claims.fence())) this.#begunBefore.add(copy);
    for (const source of sources) {
      for (const names of portionsOf([...source.stores.keys()])) {
        const stored = new Map(names.map((name) => [storedName(name).stored, name]));
        const told = (one: string) => `the store ${JSON.stringify(stored.get(one))}`;
        await this.#claims.claim([...stored.keys()], told, false);
        if (!this.#overwrite) await this.#refuseThose(source, stored);
        await this.#meter.step();
      }
    }
  }

  /** Stores that are there already, and were not copied before from this source. */
  async #refuseThose(source: Source, stored: ReadonlyMap<string, string>): Promise<void> {
    const records = await this.#records.stores(keyOf(source.identity), [...stored.keys()]);
    for (const one of await this.#present([...stored.keys()])) {
      if (!records.has(one)) throw isThere(this.place, stored.get(one) ?? one);
    }
  }

  async #present(stored: readonly string[]): Promise<string[]> {
    const rows = await this.#server.rows(
      'SELECT n FROM unnest($1::text[]) AS u (n) WHERE EXISTS (SELECT 1 FROM sds_patches WHERE store_id = n) ' +
        'OR EXISTS (SELECT 1 FROM sds_snapshots WHERE store_id = n)',
      textArray(stored),
    );
    return rows.map(([name]) => String(name));
  }

  async copyStores(source: Source, group: ReadonlyMap<string, StorePrint>): Promise<void> {
    const names = new Map([...group.keys()].map((name) => [storedName(name).stored, name]));
    const records = await this.#records.stores(keyOf(source.identity), [...names.keys()]);
    const prints = new Map([...names].map(([stored, name]) => [stored, writtenPrint(group.get(name))]));
    const missing = [...names.keys()].filter((stored) => records.get(stored) !== prints.get(stored));
    // a store that was changed here since it was copied
    const changed = await this.#changed(names, records, this.#overwrite ? undefined : missing);
    if (changed.length > 0 && !this.#overwrite) throw isThere(this.place, names.get(changed[0] ?? '') ?? '');
    const copied = [...new Set([...missing, ...changed])];
    const done = [...names].filter(([stored]) => !copied.includes(stored));
    for (const [, name] of done) await this.#meter.add(source.stores.get(name)?.bytes ?? 0);
    if (copied.length === 0) return;
    await this.#transaction(async () => {
      await this.#remove(await this.#present(copied));
      await this.#addLongNames(copied.map((stored) => storedName(names.get(stored) ?? '')));
      await this.#addRows(source, copied, names);
      await this.#records.addStores(
        keyOf(source.identity),
        new Map(copied.map((stored) => [stored, prints.get(stored) ?? ''])),
      );
      source.reader.check();
    });
  }

  /** Those of the recorded ones that are no longer as they were recorded. */
  async #changed(
    names: ReadonlyMap<string, string>,
    records: ReadonlyMap<string, string>,
    among: readonly string[] | undefined,
  ): Promise<string[]> {
    const recorded = [...records.keys()].filter((stored) => among?.includes(stored) ?? true);
    if (recorded.length === 0) return [];
    const patches = new Map<string, number>();
    for (const stored of recorded) {
      const { patches: count } = JSON.parse(records.get(stored) ?? '') as StorePrint;
      patches.set(names.get(stored) ?? '', count);
    }
    const found = await this.reader.prints(patches);
    return recorded.filter((stored) => writtenPrint(found.get(names.get(stored) ?? '')) !== records.get(stored));
  }

  async #transaction(work: () => Promise<void>): Promise<void> {
    try {
      await this.#server.transaction(work, this.#claims.fence());
    } catch (error) {
      throw this.#claims.meaningOf(error);
    }
  }

  async #remove(stored: readonly string[]): Promise<void> {
    if (stored.length === 0) return;
    const values = [textArray(stored)];
    const of = (table: string) => ({ text: `DELETE FROM ${table} WHERE store_id = ANY($1::text[])`, values });
    await this.#server.run(of('sds_patches'), of('sds_snapshots'), of('sds_snapshot_chunks'));
  }

  async #addLongNames(names: readonly StoredName[]): Promise<void> {
    for (const { stored, whole } of names) {
      if (whole === undefined) continue;
      const text = 'INSERT INTO sds_long_names (short, name) VALUES ($1, $2) ON CONFLICT (short) DO NOTHING';
      await this.#server.one(text, stored, whole);
    }
  }

  async #addRows({ reader }: Source, copied: readonly string[], names: ReadonlyMap<string, string>): Promise<void> {
    const version = randomUUID();
    const patches = this.#packed(insertPatches);
    const snapshots = this.#packed(insertSnapshots, version);
    for (const stored of copied) {
      const name = names.get(stored) ?? '';
      const snapshot = await reader.snapshot(name);
      if (snapshot !== undefined && snapshot.data.byteLength <= CHUNK_BYTES) {
        await snapshots.add(stored, snapshot.clock, snapshot.data);
      } else if (snapshot !== undefined) {
        const { clock, data } = snapshot;
        await this.#addChunks('sds_snapshot_chunks (store_id, version, chunk, data)', stored, version, data);
        await this.#server.one(
          'INSERT INTO sds_snapshots (store_id, clock, version, size) VALUES ($1, $2, $3, $4)',
          stored,
          String(clock),
          version,
          String(data.byteLength),
        );
      }
      for await (const some of reader.patches(name)) {
        for (const { clock, data } of some) await patches.add(stored, clock, data);
      }
    }
    await patches.send();
    await snapshots.send();
  }

  #packed(text: string, ...more: string[]): PackedRows {
    return new PackedRows(text, more, async (statement, bytes) => {
      await this.#server.run(statement);
      await this.#meter.add(bytes);
    });
  }

  async #addChunks(table: string, key: string, version: string, data: Uint8Array): Promise<void> {
    const chunks = Math.ceil(data.byteLength / CHUNK_BYTES);
    for (let first = 0; first < chunks; first += CHUNKS_AT_A_TIME) {
      const count = Math.min(chunks - first, CHUNKS_AT_A_TIME);
      const bytes = data.subarray(first * CHUNK_BYTES, (first + count) * CHUNK_BYTES);
      await this.#server.one(
        `INSERT INTO ${table} SELECT $1, $2, $3::int + k, substring($4::bytea FROM k * ${CHUNK_BYTES} + 1 FOR ${CHUNK_BYTES}) ` +
          'FROM generate_series(0, $5::int - 1) AS k',
        key,
        version,
        String(first),
        Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
        String(count),
      );
      await this.#meter.add(bytes.byteLength);
    }
  }

  async copyValues(source: Source): Promise<void> {
    for await (const values of gathered(source.reader.values())) await this.#copyValues(source, values);
    if (this.#begunBefore.has(keyOf(source.identity))) await this.#takeBack(source);
  }

  async #copyValues(source: Source, values: readonly Value[]): Promise<void> {
    const copy = keyOf(source.identity);
    // in one order, whoever does this: so two do not wait for each other
    const named = values
      .map((value) => ({ value, name: storedName(value.hash) }))
      .sort((a, b) => (a.name.stored < b.name.stored ? -1 : 1));
    await this.#transaction(async () => {
      const added = await this.#records.values(
        copy,
        named.map(({ name }) => name.stored),
      );
      const missing = named.filter(({ value, name }) => added.get(name.stored) !== value.refCount);
      for (const { value } of named.filter((one) => !missing.includes(one))) {
        await this.#meter.add(value.data.byteLength);
      }
      if (missing.length === 0) return;
      await this.#addLongNames(missing.map(({ name }) => name));
      const version = randomUUID();
      const packed = this.#packed(insertValues, version);
      for (const { value, name } of missing) {
        const more = value.refCount - (added.get(name.stored) ?? 0);
        if (value.data.byteLength <= CHUNK_BYTES) await packed.add(name.stored, more, value.data);
        else await this.#addLargeValue(name.stored, more, version, value.data);
      }
      await packed.send();
      await this.#records.addValues(copy, new Map(missing.map(({ value, name }) => [name.stored, value.refCount])));
      source.reader.check();
    });
  }

  async #addLargeValue(stored: string, count: number, version: string, data: Uint8Array): Promise<void> {
    const text = 'UPDATE sds_values SET ref_count = ref_count + $2 WHERE hash = $1';
    const there = await this.#server.one(text, stored, String(count));
    if (there.count > 0) return this.#meter.add(data.byteLength);
    await this.#addChunks('sds_value_chunks (hash, version, chunk, data)', stored, version, data);
    const [row] = await this.#server.rows(
      'INSERT INTO sds_values (hash, ref_count, version, size) VALUES ($1, $2, $3, $4) ' +
        'ON CONFLICT (hash) DO UPDATE SET ref_count = sds_values.ref_count + excluded.ref_count RETURNING version',
      stored,
      String(count),
      version,
      String(data.byteLength),
    );
    if (row?.[0] === version) return;
    // another process has stored it in the meantime
    await this.#server.one('DELETE FROM sds_value_chunks WHERE hash = $1 AND version = $2', stored, version);
  }

  /** What was added before it was cut off for values that the source has no more. */
  async #takeBack(source: Source): Promise<void> {
    const copy = keyOf(source.identity);
    for await (const counts of this.#records.allValues(copy, NAMES_AT_A_TIME)) {
      const names = await this.#namesOf([...counts.keys()]);
      const there = await source.reader.valuePrintsOf([...names.values()]);
      for (const [stored, count] of counts) {
        if (there.has(names.get(stored) ?? '')) continue;
        await this.#transaction(async () => {
          const values = [stored];
          await this.#server.one(
            'UPDATE sds_values SET ref_count = ref_count - $2 WHERE hash = $1',
            stored,
            String(count),
          );
          await this.#server.run(
            {
              text: 'DELETE FROM sds_value_chunks WHERE hash = $1 AND EXISTS (SELECT 1 FROM sds_values v WHERE v.hash = $1 AND v.ref_count <= 0)',
              values,
            },
            { text: 'DELETE FROM sds_values WHERE hash = $1 AND ref_count <= 0', values },
          );
          await this.#records.removeValue(copy, stored);
        });
      }
    }
  }

  async #namesOf(stored: readonly string[]): Promise<Map<string, string>> {
    const names = new Map(stored.map((name) => [name, nameOf(name)]));
    const long = stored.filter(isLongName);
    if (long.length === 0) return names;
    const sql = 'SELECT short, name FROM sds_long_names WHERE short = ANY($1::text[])';
    for (const [short, whole] of await this.#server.rows(sql, textArray(long))) {
      names.set(String(short), nameOf(String(whole)));
    }
    return names;
  }

  async finish(withValues: boolean): Promise<void> {
    const copies = [...this.#copies.keys()].map(keyOf);
    try {
      await this.#records.end(copies, withValues, this.#claims.fence(), ...this.#leaving());
    } catch (error) {
      const isInDoubt = error instanceof ServerFailure && error.retry === 'reconnect';
      if (!isInDoubt || !(await this.#claims.haveLeft().catch(() => false))) throw this.#claims.meaningOf(error);
    }
    this.#hasClaims = false;
  }

  #leaving(): Statement[] {
    return this.#claims.leaving([...this.#copies.values()]);
  }

  async close(): Promise<void> {
    await this.#claims.close();
    if (this.#hasClaims && !this.#server.connection.lost) {
      // else whoever comes next waits until this copy is taken for dead; what led here counts
      await this.#server.run({ text: 'BEGIN' }, ...this.#leaving(), { text: 'COMMIT' }).catch(() => undefined);
    }
    await this.#server.close();
  }
}

/** Small portions together: each is a transaction. */
async function* gathered(portions: Series<Value[]>): AsyncGenerator<Value[]> {
  let values: Value[] = [];
  let bytes = 0;
  for await (const portion of portions) {
    for (const { data } of portion) bytes += data.byteLength;
    values.push(...portion);
    if (values.length < VALUES_AT_A_TIME && bytes < BYTES_AT_A_TIME) continue;
    yield values;
    [values, bytes] = [[], 0];
  }
  if (values.length > 0) yield values;
}

function* portionsOf(names: readonly string[]): Generator<string[]> {
  for (let at = 0; at < names.length; at += NAMES_AT_A_TIME) yield names.slice(at, at + NAMES_AT_A_TIME);
}

/** Paths are longer than an index takes. */
function keyOf(identity: string): string {
  return createHash('sha256').update(identity).digest('hex');
}
