/** Copies stores and values into one file or database: of each source the values, then its stores, some at a time. */
import { statSync } from 'node:fs';
import type { CopyEnd, CopyTask } from '../../../protocol/operation-messages.ts';
import type { SDS_CopyResult } from '../../../protocol/operations.ts';
import { identityOf } from '../../../protocol/postgresql/url.ts';
import { performance } from '../../../protocol/surroundings.ts';
import { type Identity, identityOf as identityOfFile, isSame } from '../../ordinary-file.ts';
import { loadPg } from '../../postgresql/load-pg.ts';
import { requireStoreFile } from '../../sqlite/schema.ts';
import { OperationError, Stopped, toFailure } from '../failure.ts';
import { locate, openForReading, untilUnchanged } from '../files/open-to-read.ts';
import type { Rights } from '../files/partial-file.ts';
import { placeFor, refuseSame } from '../files/replace-file.ts';
import type { Progress } from '../progress.ts';
import { CopyConnection, cutConnections } from './copy-connection.ts';
import { DatabaseReader } from './database-reader.ts';
import { DatabaseWriter } from './database-writer.ts';
import type { Reader, Source, StorePrint, StoreSize, Writer } from './ends.ts';
import { FileReader } from './file-reader.ts';
import { FileWriter } from './file-writer.ts';
import { Meter } from './meter.ts';
import { piecesOf } from './pieces.ts';
import { SalvageReader } from './salvage-reader.ts';

/** Which part of a group that is copied together a store takes up: a group holds 8 MiB, 20,000 rows or 500 stores, or a part of each. */
const partOfGroup = ([, { bytes, patches, records }]: [string, StoreSize]) =>
  bytes / (8 * 1024 * 1024) + (patches + records) / 20_000 + 1 / 500;

export async function copyStores(task: CopyTask, progress: Progress): Promise<SDS_CopyResult> {
  const begun = performance.now();
  const copied = await untilUnchanged(async (locks) => {
    const copy = new Copy(task, progress, locks);
    return copy
      .run()
      .catch((error) => copy.failed(error))
      .finally(() => copy.close());
  });
  return { ...copied, DurationMs: performance.now() - begun };
}

class Copy {
  readonly #task: CopyTask;
  readonly #progress: Progress;
  readonly #locks: boolean;
  readonly #meter: Meter;
  readonly #sources: Source[] = [];
  readonly #closing: (() => unknown)[] = [];
  /** Those that are opened so far. */
  readonly #databases = new Map<string, 'source' | 'target'>();

  constructor(task: CopyTask, progress: Progress, locks: boolean) {
    this.#task = task;
    this.#progress = progress;
    this.#locks = locks;
    this.#meter = new Meter(progress, cutConnections);
  }

  async run(): Promise<Omit<SDS_CopyResult, 'DurationMs'>> {
    // what can be seen without a server
    this.#locateFiles();
    const sources = this.#sources;
    const target = await this.#openTarget();
    for (const place of this.#task.sources) await this.#openSource(place);
    for (const source of sources) source.stores = await source.reader.stores();
    this.#choose(sources);
    if (this.#task.values) for (const source of sources) source.values = await source.reader.valueTotals();
    const sizes = sources.flatMap(({ stores, values }) => [
      ...stores.values(),
      ...(values === undefined ? [] : [values]),
    ]);
    const stores = sum(sources.map((source) => source.stores.size));
    const leftOut = () => sum(sources.map(({ reader }) => reader.leftOut ?? 0));
    const refuseNothing = (hasAny: boolean) => {
      if (hasAny || leftOut() === 0) return;
      const detail = 'nothing that is in this file can be read; restore a backup';
      throw new OperationError('database-corrupt', sources[0]?.reader.place ?? '', detail);
    };
    refuseNothing(sizes.some((size) => !('count' in size) || size.count > 0));
    this.#meter.bytes = sum(sizes.map(({ bytes }) => bytes));
    this.#meter.storesInAll = stores;
    const writer = target();
    this.#closing.unshift(() => writer.close());
    await writer.begin(sources);
    const copied = { Snapshots: 0, Patches: 0, Records: 0, Values: 0 };
    for (const source of sources) {
      copied.Values += await writer.copyValues(source);
      for await (const { patches, records, snapshot } of this.#copyStores(source, writer)) {
        copied.Patches += patches.count;
        copied.Records += records.count;
        if (snapshot !== undefined) copied.Snapshots++;
      }
    }
    // rows that are there may turn out to be unreadable
    refuseNothing(sum(Object.values(copied)) > 0);
    await this.#meter.step();
    this.#check();
    this.#progress.lastChance();
    await writer.finish();
    return { Path: writer.place, Stores: stores, ...copied, LeftOut: leftOut() };
  }

  #locateFiles(): void {
    const known: Identity[] = [];
    for (const { file } of this.#task.sources) {
      if (file === undefined) continue;
      locate(file);
      const identity = identityOfFile(file);
      if (known.some((other) => isSame(other, identity))) throw isTwice(file);
      if (identity !== undefined) known.push(identity);
    }
  }

  /** What was read while it changed may look like anything. */
  failed(error: unknown): never {
    if (!(error instanceof Stopped)) this.#check();
    throw error;
  }

  #check(): void {
    for (const { check } of this.#sources) check();
  }

  async close(): Promise<void> {
    for (const close of this.#closing) await close();
    this.#meter.stop();
  }

  // ---- what is copied, and where to ------------------------------------------------------------------

  async #openSource(place: CopyEnd): Promise<void> {
    const add = (source: Pick<Source, 'reader' | 'identity' | 'check'>) =>
      this.#sources.push({ ...source, stores: new Map(), values: undefined });
    if (place.server !== undefined) {
      const server = await this.#openServer(place.server, true);
      const database = await server.whichDatabase();
      const known = this.#databases.get(database);
      if (known === 'source') throw isTwice(server.place);
      if (known === 'target')
        throw isInvalid(server.place, 'source and target are the same database; name another target');
      this.#databases.set(database, 'source');
      const reader = new DatabaseReader(server, () => this.#meter.step());
      await reader.holdStill();
      const [row] = await server.rows('SELECT current_schema()');
      const identity = `${identityOf(place.server)} ${row?.[0]}`;
      add({ reader, identity, check: () => {} });
      return;
    }
    const { database, path, check, close } = openForReading(place.file, this.#locks);
    this.#closing.push(close);
    // a file of the same name, on another machine or at another time, is another one
    const { ino, birthtimeMs } = statSync(path);
    const reader = new (this.#task.salvage ? SalvageReader : FileReader)(database, path, () => this.#meter.step());
    if (reader instanceof SalvageReader) this.#closing.push(() => reader.close());
    add({ reader, identity: `${path} ${ino} ${birthtimeMs}`, check });
    try {
      requireStoreFile(database);
    } catch (error) {
      throw toFailure(error, path);
    }
  }

  async #openTarget(): Promise<() => Writer> {
    const { target, overwrite, sources } = this.#task;
    if (target.server !== undefined) {
      const server = await this.#openServer(target.server, false);
      this.#databases.set(await server.whichDatabase(), 'target');
      return () => new DatabaseWriter(server, overwrite, this.#meter);
    }
    const place = placeFor(target.file);
    const files = sources.flatMap(({ file }) => file ?? []);
    const rights = rightsOfAll(files.map(locate));
    for (const file of files) refuseSame(file, place.path);
    // it may come, or be moved away, while the sources are read
    return () => new FileWriter(placeFor(place.path), rights, overwrite, this.#meter);
  }

  async #openServer(target: NonNullable<CopyEnd['server']>, onlyReads: boolean): Promise<CopyConnection> {
    const server = await CopyConnection.open(loadPg(this.#task.modules), target, onlyReads);
    this.#closing.push(() => server.close());
    return server;
  }

  /** Leaves only the stores that are wanted, each of which must be in one of the sources. */
  #choose(sources: readonly Source[]): void {
    const { stores } = this.#task;
    const wanted = stores === undefined ? undefined : new Set(stores);
    const chosen = new Map<string, Reader>();
    for (const source of sources) {
      const own = new Map<string, StoreSize>();
      for (const [name, size] of source.stores) {
        if (wanted?.has(name) === false) continue;
        if (size.trouble !== undefined) {
          const detail = `the store ${JSON.stringify(name)} ${size.trouble}`;
          throw new OperationError('database-corrupt', source.reader.place, detail);
        }
        const other = chosen.get(name)?.place;
        if (other !== undefined) {
          const detail = `the store ${JSON.stringify(name)} is in '${other}' too; name the stores to copy, and copy the sources one by one`;
          throw isInvalid(source.reader.place, detail);
        }
        chosen.set(name, source.reader);
        own.set(name, size);
      }
      source.stores = own;
    }
    for (const name of wanted ?? []) {
      if (chosen.has(name)) continue;
      const where = sources.length > 1 ? 'in these sources' : 'in this source';
      const detail = `there is no store ${JSON.stringify(name)} ${where}`;
      throw isInvalid(sources[0]?.reader.place ?? '', detail);
    }
  }

  // ---- copying ---------------------------------------------------------------------------------------

  async *#copyStores(source: Source, writer: Writer): AsyncGenerator<StorePrint> {
    for (const stores of piecesOf(source.stores, partOfGroup, 1)) {
      const group = new Map(stores);
      const found = await source.reader.prints(group);
      for (const [name, { patches, records }] of group) {
        const print = found.get(name);
        const hasPatches = print?.patches.count === patches;
        if (this.#task.salvage || (hasPatches && print.records.count === records)) continue;
        const what = hasPatches ? 'records' : 'patches';
        const detail =
          `not all ${what} of the store ${JSON.stringify(name)} can be found by its name; 'verify' says more, ` +
          'and salvaging leaves them out';
        throw new OperationError('database-corrupt', source.reader.place, detail);
      }
      if (group.size > 1) await source.reader.readAhead?.([...group.keys()]);
      await writer.copyStores(source, found);
      this.#meter.stores += group.size;
      yield* found.values();
    }
  }
}

/** Who may read all of them; a group that is not that of all may not. */
function rightsOfAll(files: readonly Rights[]): Rights | undefined {
  const [first] = files;
  if (first === undefined) return undefined;
  const groups = files.every(({ gid }) => gid === first.gid) ? 0o777 : 0o707;
  return { gid: first.gid, mode: files.reduce((all, { mode }) => all & mode, groups) };
}

/** Its values would get their references twice. */
function isTwice(place: string): OperationError {
  return isInvalid(place, 'this source is named twice; name it once');
}

function isInvalid(place: string, detail: string): OperationError {
  return new OperationError('invalid-argument', place, detail);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}
