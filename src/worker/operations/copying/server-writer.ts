/**
 * Writes what is copied into a PostgreSQL database: the values of a source in one transaction, then whole stores, some in each. Until a
 * copy has ended there is a row of `sds_copies` for each source: called again, it knows that the values are there already.
 */
import { textArray } from '../../postgresql/arrays.ts';
import { viewOf } from '../../postgresql/changes.ts';
import { isLarge } from '../../postgresql/chunks.ts';
import type { Statement } from '../../postgresql/connection.ts';
import { byStoredName, insertionsOfLongNames, type StoredName, storedName } from '../../postgresql/names.ts';
import { PackedPatches } from '../../postgresql/packed-patches.ts';
import { insertionOfNew } from '../../postgresql/patches.ts';
import { RecordChanges } from '../../postgresql/records.ts';
import { snapshotHead } from '../../postgresql/snapshots.ts';
import { type ClaimRow, fenceHolders, lockedRows, lockStatements, unclaiming } from '../../postgresql/store-rows.ts';
import { prepareTables } from '../../postgresql/tables.ts';
import { saveLargeValue, savesOf } from '../../postgresql/values.ts';
import { removalOfStores } from '../../postgresql/whole-stores.ts';
import { OperationError } from '../failure.ts';
import { compareStores, compareValues, storeDifference } from './compare.ts';
import { type CopyConnection, ServerFailure } from './copy-connection.ts';
import { sha256 } from './digest.ts';
import { kinds, type Source, type StorePrint, type Value, type Writer } from './ends.ts';
import { isThere } from './file-writer.ts';
import type { Meter } from './meter.ts';
import { piecesOf } from './pieces.ts';
import { ServerReader } from './server-reader.ts';

const NAMES_AT_A_TIME = 500;
/** What crosses with one statement, or one group of them. */
const MOST_ROWS = 4096;
const MOST_BYTES = 1024 * 1024;

export class ServerWriter implements Writer {
  readonly label: string;
  readonly #reader: ServerReader;
  readonly #server: CopyConnection;
  readonly #overwrite: boolean;
  readonly #meter: Meter;

  constructor(server: CopyConnection, overwrite: boolean, meter: Meter) {
    this.#server = server;
    this.label = server.label;
    this.#reader = new ServerReader(server, () => meter.step());
    this.#overwrite = overwrite;
    this.#meter = meter;
  }

  async begin(sources: readonly Source[]): Promise<void> {
    await this.#server.use((connection) => prepareTables((...statements) => connection.run(...statements), true));
    const sql = 'SELECT source FROM sds_copies WHERE source = ANY($1::text[])';
    const rows = await this.#server.rows(sql, textArray(sources.map(keyOf)));
    const begun = new Set(rows.map(([key]) => key));
    for (const source of sources) await this.#refuse(source, begun.has(keyOf(source)));
  }

  /**
   * What would not be written in the end is refused before anything is.
   *
   * @param isBegun - whether a copy of this source was begun before and has not ended
   */
  async #refuse(source: Source, isBegun: boolean): Promise<void> {
    for (const some of piecesOf(source.stores.keys(), () => 1, NAMES_AT_A_TIME)) {
      const names = byStoredName(some);
      const [owned] = await this.#server.rows(
        'SELECT c.store_id FROM sds_claims c JOIN sds_holders h ON h.session = c.session AND h.generation = c.generation ' +
          'WHERE c.store_id = ANY($1::text[]) AND NOT h.fenced AND h.expires >= clock_timestamp() LIMIT 1',
        textArray([...names.keys()]),
      );
      if (owned !== undefined) throw this.#isOwned(names.get(String(owned[0])));
      const [present] = this.#overwrite || isBegun ? [] : await this.#present(names);
      if (present !== undefined) throw isThere(this.label, present);
      await this.#meter.step();
    }
  }

  #isOwned(name: string | undefined): OperationError {
    const detail = `the store ${JSON.stringify(name)} is open in a provider, of this process or another; close it there first`;
    return new OperationError('fenced', this.label, detail);
  }

  async #present(names: ReadonlyMap<string, string>): Promise<Set<string>> {
    const rows = await this.#server.rows(
      'SELECT n FROM unnest($1::text[]) AS u (n) WHERE EXISTS (SELECT 1 FROM sds_patches WHERE store_id = n) ' +
        'OR EXISTS (SELECT 1 FROM sds_snapshots WHERE store_id = n) OR EXISTS (SELECT 1 FROM sds_records WHERE store_id = n)',
      textArray([...names.keys()]),
    );
    return new Set(rows.map(([stored]) => names.get(String(stored)) ?? ''));
  }

  async copyValues(source: Source): Promise<number> {
    const key = keyOf(source);
    const { done } = this.#meter;
    return this.#server.transaction(async () => {
      this.#meter.done = done;
      const [begun] = await this.#server.run({
        text: "INSERT INTO sds_copies (source, label, print) VALUES ($1, $2, '') ON CONFLICT (source) DO NOTHING",
        values: [key, source.reader.label],
      });
      if (source.values === undefined) return 0;
      if (begun?.count === 1) {
        // if another copy of this source has ended since this one began, its stores are there, and its values are counted
        await this.#refuse(source, false);
      }
      const { count, bytes, digest } = source.values;
      // waits for another copy of this source: they do not both add to the counts
      const text = 'UPDATE sds_copies SET print = $2 WHERE source = $1 AND print <> $2';
      const [noted] = await this.#server.run({ text, values: [key, String(digest)] });
      if (noted?.count === 0) {
        await this.#meter.add(bytes);
        return count;
      }
      let copied = 0;
      for await (const values of source.reader.values()) {
        await this.#addValues(values);
        await compareValues(source, this.#reader, values);
        copied += values.length;
      }
      source.check();
      return copied;
    });
  }

  async #addValues(values: readonly Value[]): Promise<void> {
    // in one order, whoever does this: so two wait for each other less often
    const named = values
      .map(({ hash, data, print }) => ({ ...storedName(hash), data: viewOf(data), times: print.refCount }))
      .sort((a, b) => (a.stored < b.stored ? -1 : 1));
    const small = named.filter(({ data }) => !isLarge(data));
    const saves = savesOf(small.map(({ stored, data, times }) => ({ hash: stored, data, times })));
    await this.#server.run(...insertionsOfLongNames(named), saves);
    await this.#meter.add(small.reduce((sum, { data }) => sum + data.byteLength, 0));
    for (const { stored, data, times } of named) {
      if (!isLarge(data)) continue;
      await this.#server.use((connection) => saveLargeValue(connection, { hash: stored, times, data }));
      await this.#meter.add(data.byteLength);
    }
  }

  async copyStores(source: Source, group: ReadonlyMap<string, StorePrint>): Promise<void> {
    const { done } = this.#meter;
    await this.#server.transaction(async () => {
      this.#meter.done = done;
      const names = byStoredName(group.keys());
      const claims = await this.#lock(names);
      const present = await this.#present(names);
      const found = await this.#reader.prints([...present]);
      // what is as the source has it was written by an earlier copy, or by another one at the same time
      const isSame = ([name, print]: [string, StorePrint]) => storeDifference(print, found.get(name)) === undefined;
      const same = new Set([...group].filter(isSame).map(([name]) => name));
      const changed = [...present].find((name) => !same.has(name));
      if (changed !== undefined && !this.#overwrite) throw isThere(this.label, changed);
      for (const name of same) await this.#meter.add(source.stores.get(name)?.bytes ?? 0);
      const copied = new Map([...group].filter(([name]) => !same.has(name)));
      const written = new Map(Array.from(copied.keys(), (name) => [name, storedName(name)]));
      const removal = removalOfStores(Array.from(written.values(), ({ stored }) => stored));
      // whoever was paused for longer than his lease is not to go on with what was replaced
      await this.#server.run(unclaiming(claims), ...removal, ...insertionsOfLongNames(written.values()));
      await this.#addStores(source, written);
      await compareStores(source, this.#reader, copied);
      source.check();
    });
  }

  /** Until the transaction ends nobody claims these stores; returns the claims of those who are dead. */
  async #lock(names: ReadonlyMap<string, string>): Promise<ClaimRow[]> {
    const stored = [...names.keys()];
    const rows = lockedRows(await this.#server.run(...lockStatements(stored, stored)));
    const claims = [...rows.values()].flatMap((row) => row.claims);
    const living = await this.#server.use((connection) => fenceHolders(connection, claims));
    for (const { store } of living) throw this.#isOwned(names.get(store));
    return claims;
  }

  async #addStores({ reader }: Source, names: ReadonlyMap<string, StoredName>): Promise<void> {
    let next = nothing();
    const send = async () => {
      const { statements, patches, records, bytes } = next;
      next = nothing();
      if (patches.count > 0) statements.push(insertionOfNew(patches));
      await this.#server.run(...statements, ...records.statements);
      await this.#meter.add(bytes);
    };
    const added = async ({ byteLength }: Uint8Array) => {
      next.rows++;
      next.bytes += byteLength;
      if (next.rows >= MOST_ROWS || next.bytes >= MOST_BYTES) await send();
    };
    for (const kind of kinds) {
      for await (const rows of reader.rows(kind, [...names.keys()])) {
        for (const { store, name, data } of rows) {
          const { stored } = names.get(store) ?? storedName(store);
          if (kind === 'patches') next.patches.add(stored, Number(name), data, 0, false);
          else if (kind === 'records') next.records.save(stored, String(name), viewOf(data));
          else {
            const found = { clock: Number(name), data: viewOf(data) };
            next.statements.push(await this.#server.use((connection) => snapshotHead(connection, stored, found)));
          }
          await added(data);
        }
      }
    }
    await send();
  }

  /** Values that an earlier call has added stay on record if this one leaves them out: another one must not add them again. */
  async finish(sources: readonly Source[]): Promise<void> {
    const statements = sources.map((source) => ({
      text: `DELETE FROM sds_copies WHERE source = $1${source.values === undefined ? " AND print = ''" : ''}`,
      values: [keyOf(source)],
    }));
    const forget = (server: CopyConnection) => server.transaction(() => server.run(...statements));
    try {
      await forget(this.#server);
    } catch (error) {
      if (!(error instanceof ServerFailure) || error.retry !== 'reconnect') throw error;
      // all is there, and it does no harm to do this twice
      const again = await this.#server.another();
      await forget(again).finally(() => again.close());
    }
  }
}

/** Statements that cross together; patches of several stores, and records of one in a row, cross with one. */
const nothing = () => ({
  statements: [] as Statement[],
  patches: new PackedPatches(),
  records: new RecordChanges(),
  rows: 0,
  bytes: 0,
});

/** Paths are longer than an index takes. */
const keyOf = ({ identity }: Source) => sha256(identity);
