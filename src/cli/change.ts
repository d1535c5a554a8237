/** `backup`, `restore`, `compact` and `copy`: they make files, or put others in their place. */
import { dirname, join, relative } from 'node:path';
import {
  backupDatabase,
  compactDatabase,
  copyStores,
  postgresqlSchema,
  restoreDatabase,
  type SDS_BackupResult,
} from '../main/index.ts';
import { filesOf, isFolder, makeFolder } from './files.ts';
import type { Run } from './run.ts';
import { bytes, counted, duration, plain, quoted, shownPlace } from './screen.ts';

interface Pair {
  from: string;
  to: string;
}

/** A folder is copied file by file into a folder, which is made; a file is copied into a folder under its own name. */
function pairsOf(run: Run, source: string, target: string, recursive: boolean): Pair[] {
  if (!isFolder(source)) {
    return [{ from: source, to: isFolder(target) ? join(target, relative(dirname(source), source)) : target }];
  }
  const files = filesOf(run, [source], recursive);
  const pairs = files.map((from) => ({ from, to: join(target, relative(source, from)) }));
  const folders = new Set(pairs.map(({ to }) => dirname(to)));
  const made = new Set([...folders].filter((folder) => makeFolder(run, folder)));
  return pairs.filter(({ to }) => made.has(dirname(to)));
}

async function each(
  run: Run,
  pairs: readonly Pair[],
  copy: (pair: Pair) => Promise<SDS_BackupResult>,
  verb: string,
): Promise<void> {
  for (const pair of pairs) {
    const done = await run.work(pair.from, () => copy(pair));
    if (done === undefined) continue;
    run.say(`${quoted(pair.from)} ${verb} ${quoted(pair.to)}: ${bytes(done.Bytes)}, ${duration(done.DurationMs)}`);
  }
}

export interface MakingOptions {
  overwrite: boolean;
  recursive: boolean;
}

export async function backup(run: Run, source: string, target: string, options: MakingOptions): Promise<void> {
  const pairs = pairsOf(run, source, target, options.recursive);
  const copy = ({ from, to }: Pair) =>
    backupDatabase(from, to, { ...run.optionsFor(from), Overwrite: options.overwrite });
  await each(run, pairs, copy, 'backed up to');
}

export async function restore(
  run: Run,
  source: string,
  target: string,
  options: MakingOptions & { verify: boolean },
): Promise<void> {
  const pairs = pairsOf(run, source, target, options.recursive);
  const copy = ({ from, to }: Pair) =>
    restoreDatabase(from, to, { ...run.optionsFor(from), Overwrite: options.overwrite, Verify: options.verify });
  await each(run, pairs, copy, 'restored to');
}

export async function compact(run: Run, names: readonly string[], recursive: boolean): Promise<void> {
  for (const path of filesOf(run, names, recursive)) {
    const done = await run.work(path, () => compactDatabase(path, run.optionsFor(path)));
    if (done === undefined) continue;
    const { BytesBefore, BytesAfter, DurationMs } = done;
    run.say(
      `${plain(path)}: ${bytes(BytesBefore)} before, ${bytes(BytesAfter)} after, ${bytes(Math.max(BytesBefore - BytesAfter, 0))} given back, ${duration(DurationMs)}`,
    );
  }
}

export async function copy(
  run: Run,
  sources: readonly string[],
  target: string,
  options: { stores: string[] | undefined; overwrite: boolean; values: boolean; salvage: boolean },
): Promise<void> {
  const source = sources.map(shownPlace).join(', ');
  const done = await run.work(source, () =>
    copyStores(sources, target, {
      ...run.optionsFor(source),
      ...(options.stores === undefined ? {} : { Stores: options.stores }),
      Overwrite: options.overwrite,
      Values: options.values,
      Salvage: options.salvage,
    }),
  );
  if (done === undefined) return;
  const records = done.Records === 0 ? '' : `${counted(done.Records, 'record')}, `;
  run.say(
    `${quoted(source)} copied into ${quoted(shownPlace(target))}: ${counted(done.Stores, 'store')}, ${counted(done.Snapshots, 'snapshot')}, ` +
      `${counted(done.Patches, 'patch', 'patches')}, ${records}${counted(done.Values, 'value')}, ${duration(done.DurationMs)}`,
  );
}

export function schema(run: Run): void {
  run.print(postgresqlSchema);
}
