/** Operations on whole database files, for programs and for the command line. */

import { currentContext } from '../../protocol/async-context.ts';
import { makeError, SDS_PersistenceError } from '../../protocol/errors.ts';
import type { CopyEnd } from '../../protocol/operation-messages.ts';
import type {
  SDS_BackupOptions,
  SDS_BackupResult,
  SDS_CompactResult,
  SDS_CopyOptions,
  SDS_CopyResult,
  SDS_DatabaseDescription,
  SDS_DescribeOptions,
  SDS_OperationOptions,
  SDS_RestoreOptions,
  SDS_VerifyResult,
} from '../../protocol/operations.ts';
import { isPostgresqlUrl, labelOf } from '../../protocol/postgresql/url.ts';
import { pathOf, targetOf } from '../location.ts';
import { begin, log } from '../observe/channels.ts';
import { tellNoted } from '../observe/notes.ts';
import { type Acceptance, checkOptions, yesOrNo } from '../option-checks.ts';
import { searchPaths } from '../search-paths.ts';
import { readServer } from '../server-location.ts';
import { runOperation } from './run-operation.ts';

/**
 * Copies a database into a new file while others go on writing, also in other processes. What is copied is one
 * state: of each store a prefix of what was acknowledged. The file appears under its name when it is whole
 * and on the disk; if the process is killed before, the next backup into that folder removes what is left.
 *
 * @param SourcePath - the database file
 * @param TargetPath - the file to make; its folder must be there, with room for it
 * @throws SDS_PersistenceError `invalid-argument`, `open-failed`, `schema-mismatch`, `file-exists`, `database-busy`,
 *   `database-full` (the message says how much room is needed), `database-corrupt`, `read-only`, `io-error`,
 *   `worker-lost`; or the signal's reason
 *
 * @example
 * const { Bytes, DurationMs } = await backupDatabase('./notes.db', './another-backup.db')
 */
export async function backupDatabase(
  SourcePath: string,
  TargetPath: string,
  Options: SDS_BackupOptions = {},
): Promise<SDS_BackupResult> {
  const call = 'backupDatabase';
  return backupFile(call, pathOf(SourcePath, call, 'SourcePath'), targetOf(TargetPath, call, 'TargetPath'), Options);
}

/** The same with real paths, for messages under the name of the call; `before` is waited for once all that was given is read. */
export async function backupFile(
  call: string,
  source: string,
  target: string,
  Options: SDS_BackupOptions,
  before?: () => Promise<void>,
): Promise<SDS_BackupResult> {
  const options = checked(Options, call, source, { Overwrite: yesOrNo });
  if (before !== undefined) await before(); // else it begins within the call
  const trace = begin('backup', () => ({ Path: source, TargetPath: target }));
  const given = { path: source, target, overwrite: options.Overwrite ?? false, verify: false };
  try {
    const running = runOperation('backup', call, given, options);
    tellNoted();
    const result = await running;
    trace?.end({ Bytes: result.Bytes });
    log('backup of %s to %s: %d bytes', source, target, result.Bytes);
    return result;
  } catch (error) {
    trace?.end({}, error);
    log('backup of %s to %s: %s', source, target, said(error));
    throw error;
  }
}

/** Whatever was thrown, for `log`, without its stack. */
function said(thrown: unknown): string {
  return thrown instanceof SDS_PersistenceError ? `${thrown.code}: ${thrown.message}` : String(thrown);
}

/**
 * Puts a backup in the place of a database. With `Overwrite` a database that is there is replaced at one moment,
 * with its log; nobody may have it open, and until then it stays as it is.
 *
 * @throws the same as `backupDatabase`; `database-busy` if the target is open anywhere
 *
 * @example
 * await restoreDatabase('./backup.db', './notes.db', { Overwrite: true })
 */
export async function restoreDatabase(
  BackupPath: string,
  TargetPath: string,
  Options: SDS_RestoreOptions = {},
): Promise<SDS_BackupResult> {
  const call = 'restoreDatabase';
  const source = pathOf(BackupPath, call, 'BackupPath');
  const target = targetOf(TargetPath, call, 'TargetPath');
  const options = checked(Options, call, source, { Overwrite: yesOrNo, Verify: yesOrNo });
  const { Overwrite = false, Verify = true } = options;
  return runOperation('backup', call, { path: source, target, overwrite: Overwrite, verify: Verify }, options);
}

/**
 * Checks a database: its structure by SQLite's own check, then every row: types, patch numbers,
 * reference counts, and values against their SHA-256 where their hash looks like one. Others may go on writing.
 *
 * @returns what was found; a damaged file is no error, a file that can't be looked at is one
 * @throws SDS_PersistenceError `invalid-argument`, `open-failed` (also if it is no SQLite database),
 *   `database-busy`, `read-only`, `io-error`, `worker-lost`; or the signal's reason
 *
 * @example
 * const { Sound, Findings } = await verifyDatabase('./notes.db')
 * console.log(Sound, Findings.length) // true 0
 */
export async function verifyDatabase(Path: string, Options: SDS_OperationOptions = {}): Promise<SDS_VerifyResult> {
  const call = 'verifyDatabase';
  const path = pathOf(Path, call, 'Path');
  return runOperation('verify', call, { path }, checked(Options, call, path, {}));
}

/**
 * Gives the free pages of a database back to the file system: it is written anew and takes the old one's place at
 * one moment. Nobody may have it open, and its folder needs room for the new file.
 *
 * @throws SDS_PersistenceError `invalid-argument`, `open-failed`, `schema-mismatch`, `database-busy` if the file is
 *   open anywhere, `database-full`, `database-corrupt`, `read-only`, `io-error`, `worker-lost`; or the signal's
 *   reason: SQLite writes the new file in one go, the signal is looked at before and after that
 *
 * @example
 * const { BytesBefore, BytesAfter } = await compactDatabase('./notes.db')
 * console.log(BytesAfter <= BytesBefore) // true
 */
export async function compactDatabase(Path: string, Options: SDS_OperationOptions = {}): Promise<SDS_CompactResult> {
  const call = 'compactDatabase';
  const path = pathOf(Path, call, 'Path');
  return runOperation('compact', call, { path }, checked(Options, call, path, {}));
}

/**
 * Tells what is in a database: sizes, stores, values. With `Quick` only what is known without a look at every row.
 *
 * @throws the same as `verifyDatabase`, and `database-corrupt`
 *
 * @example
 * const { Stores } = await describeDatabase('./notes.db')
 * console.log(Stores?.[0]?.StoreId, Stores?.[0]?.Patches) // my-store 1
 */
export async function describeDatabase(
  Path: string,
  Options: SDS_DescribeOptions = {},
): Promise<SDS_DatabaseDescription> {
  const call = 'describeDatabase';
  const path = pathOf(Path, call, 'Path');
  const options = checked(Options, call, path, { Quick: yesOrNo });
  return runOperation('describe', call, { path, quick: options.Quick ?? false }, options);
}

/**
 * Copies stores from files or PostgreSQL databases into one, and compares what was copied. Values belong to a file or
 * database and not to a store, so all of them come along; one that is there already gets both reference counts.
 *
 * Into a file goes all of it or nothing, in one transaction, and a file that is not there is made. Others may have the file open, but
 * no store that is replaced: their writes wait meanwhile, for up to their `BusyTimeoutMs`, then they reject with `database-busy`.
 * Into a PostgreSQL database it goes in many transactions, of whole stores: if it is cut off, call it again, and it goes on
 * from there.
 *
 * @param From - the path of a file, the URL of a PostgreSQL database, or an array of them
 * @param To - the path of a file, or the URL of a PostgreSQL database
 * @throws the same as `backupDatabase`; `file-exists` if a store is there already; `invalid-argument` for a store
 *   that no source has, or two have; `database-corrupt` if a source has rows that no provider writes (see `Salvage`), or if what was
 *   copied is not what was read; of PostgreSQL databases also `connection-failed`, and `fenced` if another process owns
 *   one of the stores there
 *
 * @example
 * const { Patches } = await copyStores('./notes.db', './all.db', { Stores: ['my-store'] })
 * console.log(Patches) // 1
 */
export async function copyStores(
  From: string | readonly string[],
  To: string,
  Options: SDS_CopyOptions = {},
): Promise<SDS_CopyResult> {
  const call = 'copyStores';
  const sources = Array.from(Array.isArray(From) ? From : [From], (location) => endOf(location, call, 'From'));
  const [source] = sources;
  if (source === undefined) throw new SDS_PersistenceError('invalid-argument', `${call}: From has no path in it`);
  const target = endOf(To, call, 'To', targetOf);
  const path = source.file ?? labelOf(source.server);
  const accepted = { Stores: names, Overwrite: yesOrNo, Values: yesOrNo, Salvage: yesOrNo };
  const options = checked(Options, call, path, accepted);
  const { Stores: stores, Overwrite: overwrite = false, Values: values = true, Salvage: salvage = false } = options;
  const wanted = stores?.map((name) => name.toWellFormed()); // as a provider names them
  const given = { path, sources, target, stores: wanted, overwrite, values, salvage, searchPaths: searchPaths() };
  return runOperation('copy', call, given, options);
}

function endOf(value: unknown, call: string, name: string, fileOf = pathOf): CopyEnd {
  if (typeof value !== 'string' || !isPostgresqlUrl(value)) return { file: fileOf(value, call, name) };
  const server = readServer(value);
  if (typeof server !== 'string') return { server };
  throw new SDS_PersistenceError('invalid-argument', `${call}: ${name}: ${server}`);
}

const aFunction: Acceptance = { what: 'a function', test: (value) => typeof value === 'function' };
// of whatever realm: a signal of another one is no instance of this one's class
const aSignal: Acceptance = {
  what: 'an AbortSignal',
  test: (value) => typeof (value as Partial<AbortSignal> | null)?.addEventListener === 'function',
};
const names: Acceptance = {
  what: 'an array of strings',
  test: (value) => Array.isArray(value) && value.every((name) => typeof name === 'string'),
};
const everywhere = { OnProgress: aFunction, Signal: aSignal };

/** The options as plain properties, read at the call. `OnProgress` runs in the asynchronous context of the call. */
function checked<T extends SDS_OperationOptions>(
  options: T,
  call: string,
  path: string,
  own: Record<string, Acceptance>,
): T {
  const settings = checkOptions(options, { ...everywhere, ...own });
  if (typeof settings === 'string') throw makeError('invalid-argument', call, path, settings);
  const checkedOptions = settings as T;
  const { OnProgress } = checkedOptions;
  if (OnProgress !== undefined) {
    const inContextOfCall = currentContext();
    checkedOptions.OnProgress = (progress) => inContextOfCall(() => OnProgress(progress));
  }
  return checkedOptions;
}
