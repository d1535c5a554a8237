/** Operations on the files of a folder: what each finds there, and what is there once it is done. */
import { copyFileSync, cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { backupDatabase, compactDatabase, copyStores, restoreDatabase } from 'sds-persistence-worker';
import { differenceOf, integrityOf, rowsIn } from './database-rows.ts';
import { soundSchemas } from './hostile-schemas.ts';
import { within } from './rig.ts';

const PATIENCE_MS = 60_000;

interface FileOperation {
  run(source: string, target: string): Promise<unknown>;
  /** What it finds at its target: no file, or one of other stores, or of fewer patches of the same; `undefined` if it has no target. */
  finds: 'nothing' | 'other' | 'fewer' | undefined;
  /** Whether a transaction of SQLite's makes it in the target: a disk that goes on failing may have taken its commit. */
  commits?: true;
  /** What is there once it is done. */
  makes(source: Rows, found: Rows): Rows;
}

type Rows = readonly string[];

/** What became of an operation: where it failed, its target is what it was. */
type End = 'done' | 'failed' | 'done or not';

const theSource = (source: Rows) => source;

export const fileOperations: Record<string, FileOperation> = {
  compact: { run: (source) => compactDatabase(source), finds: undefined, makes: theSource },
  backup: { run: (source, target) => backupDatabase(source, target), finds: 'nothing', makes: theSource },
  'restore over a file': {
    run: (source, target) => restoreDatabase(source, target, { Overwrite: true }),
    finds: 'other',
    makes: theSource,
  },
  copy: { run: (source, target) => copyStores(source, target), finds: 'nothing', makes: theSource },
  'copy into a file': {
    run: (source, target) => copyStores(source, target),
    finds: 'other',
    commits: true,
    makes: (source, found) => [...source, ...found].sort(),
  },
  // without values: those get the references of both
  'copy over stores': {
    run: (source, target) => copyStores(source, target, { Overwrite: true, Values: false }),
    finds: 'fewer',
    commits: true,
    makes: (source) => source.filter((row) => !row.startsWith('value ')),
  },
};

export function operationNamed(name: string): FileOperation {
  const operation = fileOperations[name];
  if (operation === undefined) throw new Error(`there is no operation '${name}'`);
  return operation;
}

/** A folder in which an operation is carried out, perhaps not to its end. */
export class OperationFolder {
  readonly #folder: string;
  /** The files that the operation finds, and where. */
  readonly #copies: [from: string, to: string][];
  readonly #operation: FileOperation;
  readonly #source: string;
  readonly #target: string;
  readonly #sourceRows: Rows;
  readonly #found: Rows | undefined;
  readonly #made: Rows;

  /** @param files - the folder that `makeFiles` has filled */
  constructor(operation: FileOperation, files: string, folder: string) {
    const { finds } = operation;
    this.#folder = folder;
    this.#operation = operation;
    this.#source = join(folder, 'source.db');
    this.#target = finds === undefined ? this.#source : join(folder, 'target.db');
    const source = join(files, 'source.db');
    this.#copies = [[source, this.#source]];
    this.#sourceRows = rowsOfCopy(source);
    if (finds === undefined) this.#found = this.#sourceRows;
    else if (finds !== 'nothing') {
      const file = join(files, `${finds}.db`);
      this.#copies.push([file, this.#target]);
      this.#found = rowsOfCopy(file);
    }
    this.#made = operation.makes(this.#sourceRows, this.#found ?? []);
  }

  /** Puts there what the operation finds. */
  fill(): this {
    for (const [from, to] of this.#copies) put(from, to);
    return this;
  }

  run(): Promise<unknown> {
    return within(PATIENCE_MS, 'the operation', this.#operation.run(this.#source, this.#target));
  }

  /**
   * What is wrong in the folder: the source has changed, or the target is not what it may be; or it is not done by another call, which
   * finds all as it was left; or something is left behind after the next operation. A journal may be, from which SQLite takes nothing
   * back (docs/operations.md).
   */
  async faults(end: End): Promise<string[]> {
    const seen = `${this.#folder}-seen`; // who looks at a database takes its log into it
    rmSync(seen, { recursive: true, force: true });
    cpSync(this.#folder, seen, { recursive: true });
    const before = this.#look(seen);
    const faults = this.#differences(end, before);
    if (faults.length > 0) return faults;
    const isMade = this.#operation.finds !== undefined && this.#differences('done', before).length === 0;
    try {
      if (end !== 'done' && !isMade) await this.run();
      await within(PATIENCE_MS, 'a backup', backupDatabase(this.#source, join(this.#folder, 'last.db')));
    } catch (error) {
      return [`${end}, and what comes after it fails: ${String(error)}`];
    }
    const left = readdirSync(this.#folder).filter(
      (file) => !/^(source|target|last)\.db(-wal|-shm|-journal)?$/.test(file),
    );
    if (left.length > 0) faults.push(`${end}, and ${left.join()} is left after the next operation`);
    return [...faults, ...this.#differences('done', this.#look(this.#folder))];
  }

  /** At this folder, or a copy of it. */
  #look(folder: string): Seen {
    const [target, source] = [this.#target, this.#source].map((path) => contentsOf(join(folder, basename(path))));
    return { target, source };
  }

  #differences(end: End, { target, source }: Seen): string[] {
    const asMade = differenceFrom(target, this.#made);
    const asFound = differenceFrom(target, this.#found);
    const ofTarget = end === 'done' ? asMade : end === 'failed' ? asFound : asMade && asFound;
    const faults = { target: ofTarget, source: differenceFrom(source, this.#sourceRows) };
    return Object.entries(faults).flatMap(([file, is]) => (is === undefined ? [] : [`${end}, and the ${file} ${is}`]));
  }
}

/** What is in a file, if it is there, or what is wrong with it. */
type Contents = Rows | string | undefined;

interface Seen {
  target: Contents;
  source: Contents;
}

function contentsOf(path: string): Contents {
  if (!existsSync(path)) return undefined;
  try {
    const sound = integrityOf(path);
    return sound === 'ok' ? rowsIn(path) : `is damaged: ${sound}`;
  } catch (error) {
    return `can not be read: ${String(error)}`;
  }
}

/** How a file differs from what it ought to be, if it does. */
function differenceFrom(contents: Contents, wanted: Rows | undefined): string | undefined {
  if (typeof contents === 'string') return contents;
  if (contents === undefined) return wanted && 'is not there';
  const difference = wanted === undefined ? 'was not there before' : differenceOf(contents, wanted);
  return difference && `is another one: ${difference}`;
}

/** Copies a file and its log. */
function put(from: string, to: string): void {
  for (const end of ['', '-wal']) copyFileSync(from + end, to + end);
}

const rowsByFile = new Map<string, Rows>();

/** What is in a file and its log, which stay as they are. */
function rowsOfCopy(from: string): Rows {
  const copy = `${from}-read`;
  const known = rowsByFile.get(from);
  if (known !== undefined) return known;
  put(from, copy);
  const rows = rowsIn(copy);
  rowsByFile.set(from, rows);
  return rows;
}

/** Makes the files that operations find: of each, a part lies in its log alone. */
export function makeFiles(folder: string): void {
  make(folder, 'source', ['one', 'two'], 5, 'hash');
  make(folder, 'other', ['three', 'four'], 4, 'other hash');
  make(folder, 'fewer', ['one', 'two'], 2, undefined);
}

function make(
  folder: string,
  name: string,
  stores: readonly string[],
  patches: number,
  hash: string | undefined,
): void {
  const open = join(folder, `${name}-open.db`);
  const database = new DatabaseSync(open);
  try {
    database.exec(`PRAGMA journal_mode = WAL; ${soundSchemas['our own schema, with records']}`);
    for (const [at, store] of stores.entries()) {
      if (at === 1) database.exec('PRAGMA wal_checkpoint');
      database.prepare('INSERT INTO snapshots VALUES (?, ?, 1)').run(store, new Uint8Array(9000).fill(patches));
      database.prepare('INSERT INTO sds_records VALUES (?, ?, ?)').run(store, 'key', new Uint8Array(50));
      const insert = database.prepare('INSERT INTO patches VALUES (?, ?, ?)');
      for (let clock = 2; clock < 2 + patches; clock++) insert.run(store, clock, new Uint8Array(3000).fill(clock));
    }
    if (hash !== undefined) database.prepare('INSERT INTO blobs VALUES (?, ?, 2)').run(hash, new Uint8Array(7000));
    put(open, join(folder, `${name}.db`));
  } finally {
    database.close();
  }
}
