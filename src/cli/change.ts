/** `backup`, `restore`, `compact` and `copy`: they make files, or put others in their place. */
import { basename, dirname } from 'node:path';
import { backupDatabase, compactDatabase, copyStores, restoreDatabase, type SDS_BackupResult } from '../main/index.ts';
import { isFileUrl } from '../protocol/file-url.ts';
import { isPostgresqlUrl } from '../protocol/postgresql/url.ts';
import { filesOf, isFolder, isMeantAsFolder, makeFolder, within } from './files.ts';
import { Failure, type OptionValues, type Run } from './run.ts';
import { bytes, counted, duration, plain, quoted, shownPlace } from './screen.ts';

interface Pair {
  from: string;
  to: string;
}

/**
 * What names no folder; one that was made by this name might have a password in it. A file and a database are known also without `//`;
 * what else has `://` is a URL unless there is a folder of that name.
 */
function isUrl(name: string): boolean {
  return isFileUrl(name) || isPostgresqlUrl(name) || (name.includes('://') && !isFolder(name));
}

/** A folder is copied file by file into a folder, which is made; a file is copied into a folder under its own name. */
function pairsOf(run: Run, source: string, target: string): Pair[] {
  if (!isFolder(source)) {
    return [{ from: source, to: isMeantAsFolder(target) ? within(target, basename(source)) : target }];
  }
  if (isUrl(target)) {
    run.fail(
      source,
      new Failure('folder-not-made', 'a folder is copied into a folder, and the target is a URL; name a folder'),
    );
    return [];
  }
  const files = filesOf(run, [source], target);
  const pairs = files.map((from) => ({ from, to: within(target, from.slice(within(source, '').length)) }));
  const folders = new Set(pairs.map(({ to }) => dirname(to)));
  const made = new Set([...folders].filter((folder) => makeFolder(run, folder)));
  return pairs.filter(({ to }) => made.has(dirname(to)));
}

async function each(
  run: Run,
  [source = '', target = '']: readonly string[],
  copy: (from: string, to: string) => Promise<SDS_BackupResult>,
  verb: string,
): Promise<void> {
  for (const { from, to } of pairsOf(run, source, target)) {
    const done = await run.work(from, () => copy(from, to));
    if (done === undefined) continue;
    run.say(`${quoted(from)} ${verb} ${quoted(to)}: ${bytes(done.Bytes)}, ${duration(done.DurationMs)}`);
  }
}

export async function backup(run: Run, names: readonly string[], values: OptionValues): Promise<void> {
  const Overwrite = values.overwrite === true;
  const copy = (from: string, to: string) => backupDatabase(from, to, { ...run.optionsFor(from), Overwrite });
  await each(run, names, copy, 'backed up to');
}

export async function restore(run: Run, names: readonly string[], values: OptionValues): Promise<void> {
  const own = { Overwrite: values.overwrite === true, Verify: values['no-verify'] !== true };
  const copy = (from: string, to: string) => restoreDatabase(from, to, { ...run.optionsFor(from), ...own });
  await each(run, names, copy, 'restored to');
}

export async function compact(run: Run, names: readonly string[]): Promise<void> {
  for (const path of filesOf(run, names)) {
    const done = await run.work(path, () => compactDatabase(path, run.optionsFor(path)));
    if (done === undefined) continue;
    const { BytesBefore, BytesAfter, DurationMs } = done;
    run.say(
      `${plain(path)}: ${bytes(BytesBefore)} before, ${bytes(BytesAfter)} after, ${bytes(Math.max(BytesBefore - BytesAfter, 0))} given back, ${duration(DurationMs)}`,
    );
  }
}

export async function copy(run: Run, names: readonly string[], values: OptionValues): Promise<void> {
  const sources = names.slice(0, -1);
  const target = names.at(-1) ?? '';
  const source = sources.map(shownPlace).join(', ');
  const done = await run.work(source, () =>
    copyStores(sources, target, {
      ...run.optionsFor(source),
      ...(values.store === undefined ? {} : { Stores: values.store as string[] }),
      Overwrite: values.overwrite === true,
      Values: values['no-values'] !== true,
      Salvage: values.salvage === true,
    }),
  );
  if (done === undefined) return;
  const records = done.Records === 0 ? '' : `${counted(done.Records, 'record')}, `;
  run.say(
    `${quoted(source)} copied into ${quoted(shownPlace(target))}: ${counted(done.Stores, 'store')}, ${counted(done.Snapshots, 'snapshot')}, ` +
      `${counted(done.Patches, 'patch', 'patches')}, ${records}${counted(done.Values, 'value')}, ${duration(done.DurationMs)}`,
  );
  if (done.LeftOut > 0) {
    run.say(`left out: at least ${counted(done.LeftOut, 'row')} that can not be read, or that no provider writes`);
  }
}
