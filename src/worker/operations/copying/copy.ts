/** Copies stores and values into one file or database: of each source the values, then its stores, some at a time. */
import { type Stats, statSync } from 'node:fs';
import type { CopyArguments, CopyEnd } from '../../../protocol/operation-messages.ts';
import type { SDS_CopyResult } from '../../../protocol/operations.ts';
import { databaseIdentity } from '../../../protocol/postgresql/url.ts';
import { performance } from '../../../protocol/surroundings.ts';
import { loadPg } from '../../postgresql/load-pg.ts';
import { identityOf } from '../../sqlite/ordinary-file.ts';
import { requireStoreFile } from '../../sqlite/schema.ts';
import { OperationError, toFailure } from '../failure.ts';
import { existingAt, locate } from '../files/locate.ts';
import { type Reading, untilUnchanged } from '../files/open-to-read.ts';
import { requireWhole } from '../files/page-counts.ts';
import type { Rights } from '../files/partial-file.ts';
import type { Progress } from '../progress.ts';
import { CopyConnection } from './copy-connection.ts';
import type { Source, StorePrint, StoreSize, Writer } from './ends.ts';
import { FileReader } from './file-reader.ts';
import { FileWriter } from './file-writer.ts';
import { Meter } from './meter.ts';
import { piecesOf } from './pieces.ts';
import { SalvageReader } from './salvage-reader.ts';
import { ServerReader } from './server-reader.ts';
import { ServerWriter } from './server-writer.ts';

/** Which part of a group that is copied together a store takes up: a group holds 8 MiB, 20,000 rows or 500 stores, or a part of each. */
const partOfGroup = ([, { bytes, patches, records }]: [string, StoreSize]) =>
  bytes / (8 * 1024 * 1024) + (patches + records) / 20_000 + 1 / 500;

export async function copyStores(given: CopyArguments, progress: Progress): Promise<SDS_CopyResult> {
  const begun = performance.now();
  const copied = await untilUnchanged((read) => {
    const copy = new Copy(given, progress, read);
    return copy.run().finally(() => copy.close());
  }, given.salvage);
  return { ...copied, DurationMs: performance.now() - begun };
}

class Copy {
  readonly #given: CopyArguments;
  readonly #progress: Progress;
  readonly #read: (path: string) => Reading;
  readonly #meter: Meter;
  readonly #sources: Source[] = [];
  readonly #servers: CopyConnection[] = [];
  readonly #closing: (() => unknown)[] = [];
  /** Those that are known so far, by what is the same under all of their names. */
  readonly #ends = new Map<string, 'source' | 'target'>();

  constructor(given: CopyArguments, progress: Progress, read: (path: string) => Reading) {
    this.#given = given;
    this.#progress = progress;
    this.#read = read;
    this.#meter = new Meter(progress, () => {
      for (const { connection } of this.#servers) connection.drop();
    });
  }

  async run(): Promise<Omit<SDS_CopyResult, 'DurationMs'>> {
    const sources = this.#sources;
    const files = this.#locateFiles(); // what can be seen without a server
    const writer = await this.#openTarget(files);
    for (const end of this.#given.sources) await this.#openSource(end);
    for (const source of sources) source.stores = await source.reader.stores();
    this.#choose(sources);
    if (this.#given.values) for (const source of sources) source.values = await source.reader.valueTotals();
    const sizes = sources.flatMap(({ stores, values }) => [...stores.values(), values ?? { bytes: 0 }]);
    this.#meter.bytesInAll = sum(sizes.map(({ bytes }) => bytes));
    this.#meter.storesInAll = sum(sources.map((source) => source.stores.size));
    this.#leftOut(this.#meter.storesInAll + sum(sources.map(({ values }) => values?.count ?? 0))); // nothing is written yet
    await writer.begin(sources);
    const copied = { Snapshots: 0, Patches: 0, Records: 0, Values: 0 };
    for (const source of sources) {
      copied.Values += await writer.copyValues(source);
      for await (const { snapshots, patches, records } of this.#copyStores(source, writer)) {
        copied.Snapshots += snapshots.count;
        copied.Patches += patches.count;
        copied.Records += records.count;
      }
    }
    const LeftOut = this.#leftOut(sum(Object.values(copied)));
    await this.#meter.step();
    for (const { check } of sources) check();
    this.#progress.lastChance();
    await writer.finish(sources);
    return { Path: writer.label, Stores: this.#meter.storesInAll, ...copied, LeftOut };
  }

  async close(): Promise<void> {
    for (const close of this.#closing) close();
    for (const server of this.#servers) await server.close();
    this.#meter.stop();
  }

  // ---- what is copied, and where to ------------------------------------------------------------------

  #locateFiles(): Stats[] {
    return this.#given.sources.flatMap(({ file }) => {
      if (file === undefined) return [];
      const stats = locate(file);
      this.#note('source', file, whichFile(file));
      return stats;
    });
  }

  /** @param which - the same for all names of what it labels; values of a source that is named twice would get their references twice */
  #note(role: 'source' | 'target', label: string, which: string): void {
    const known = this.#ends.get(which);
    if (known === role) throw isInvalid(label, 'this source is named twice; name it once');
    if (known !== undefined) throw isInvalid(label, 'source and target are the same; name another target');
    this.#ends.set(which, role);
  }

  async #openSource(end: CopyEnd): Promise<void> {
    const add = (source: Pick<Source, 'reader' | 'identity' | 'check'>) =>
      this.#sources.push({ ...source, stores: new Map(), values: undefined });
    if (end.server !== undefined) {
      const server = await this.#openServer('source', end.server);
      const reader = new ServerReader(server, () => this.#meter.step());
      await reader.holdStill();
      const [row] = await server.rows('SELECT current_schema()');
      const identity = `${databaseIdentity(end.server)} ${row?.[0]}`;
      add({ reader, identity, check: () => {} });
      return;
    }
    const { file: path } = end;
    const { database, check } = this.#read(path);
    // a file of the same name, on another machine or at another time, is another one
    const { ino, birthtimeMs } = statSync(path);
    const reader = new (this.#given.salvage ? SalvageReader : FileReader)(database, path, () => this.#meter.step());
    add({ reader, identity: `${path} ${ino} ${birthtimeMs}`, check });
    try {
      requireStoreFile(database);
      if (!this.#given.salvage) requireWhole(database, path);
    } catch (error) {
      throw toFailure(error, path);
    }
  }

  async #openTarget(files: readonly Stats[]): Promise<Writer> {
    const { target, overwrite } = this.#given;
    if (target.server !== undefined) {
      return new ServerWriter(await this.#openServer('target', target.server), overwrite, this.#meter);
    }
    if (existingAt(target.file) !== undefined) this.#note('target', target.file, whichFile(target.file));
    const writer = new FileWriter(target.file, rightsOfAll(files), overwrite, this.#meter);
    this.#closing.push(() => writer.close());
    return writer;
  }

  async #openServer(role: 'source' | 'target', target: NonNullable<CopyEnd['server']>): Promise<CopyConnection> {
    const server = await CopyConnection.open(loadPg(this.#given.searchPaths), target, role === 'source');
    this.#servers.push(server);
    this.#note(role, server.label, await server.whichDatabase());
    return server;
  }

  /** Leaves only the stores that are wanted, each of which must be in one of the sources. */
  #choose(sources: readonly Source[]): void {
    const wanted = this.#given.stores && new Set(this.#given.stores);
    const chosen = new Map<string, string>();
    for (const { reader, stores } of sources) {
      const { label } = reader;
      for (const [name, { trouble }] of stores) {
        if (wanted?.has(name) === false) {
          stores.delete(name);
          continue;
        }
        const what = `the store ${JSON.stringify(name)}`;
        if (trouble !== undefined) throw new OperationError('database-corrupt', label, `${what} ${trouble}`);
        const other = chosen.get(name);
        if (other !== undefined) {
          const detail = `${what} is in '${other}' too; name the stores to copy, and copy the sources one by one`;
          throw isInvalid(label, detail);
        }
        chosen.set(name, label);
      }
    }
    for (const name of wanted ?? []) {
      if (chosen.has(name)) continue;
      const where = sources.length > 1 ? 'in these sources' : 'in this source';
      const detail = `there is no store ${JSON.stringify(name)} ${where}`;
      throw isInvalid(sources[0]?.reader.label ?? '', detail);
    }
  }

  /** How many rows are left out so far; refuses to leave out all of them. */
  #leftOut(found: number): number {
    const leftOut = sum(this.#sources.map(({ reader }) => reader.leftOut ?? 0));
    if (leftOut === 0 || found > 0) return leftOut;
    const detail = 'nothing that is in this file can be read; restore a backup';
    throw new OperationError('database-corrupt', this.#sources[0]?.reader.label ?? '', detail);
  }

  // ---- copying ---------------------------------------------------------------------------------------

  async *#copyStores(source: Source, writer: Writer): AsyncGenerator<StorePrint> {
    for (const stores of piecesOf(source.stores, partOfGroup, 1)) {
      const found = await source.reader.prints(stores.map(([name]) => name));
      for (const [name, { patches, records }] of stores) {
        const print = found.get(name);
        const hasPatches = print?.patches.count === patches;
        if (this.#given.salvage || (hasPatches && print.records.count === records)) continue;
        const what = hasPatches ? 'records' : 'patches';
        const detail =
          `not all ${what} of the store ${JSON.stringify(name)} can be found by its name; 'verify' says more, ` +
          'and salvaging leaves them out';
        throw new OperationError('database-corrupt', source.reader.label, detail);
      }
      await writer.copyStores(source, found);
      this.#meter.stores += stores.length;
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

function whichFile(path: string): string {
  const found = identityOf(path);
  return found === undefined ? path : `${found.dev} ${found.ino}`;
}

function isInvalid(label: string, detail: string): OperationError {
  return new OperationError('invalid-argument', label, detail);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}
