/** `info`, `verify` and `schema`: they change nothing. */
import {
  describeDatabase,
  postgresqlSchema,
  type SDS_DatabaseDescription,
  type SDS_VerifyResult,
  verifyDatabase,
} from '../main/index.ts';
import { filesOf } from './files.ts';
import type { Run } from './run.ts';
import { bytes, counted, duration, number, plain, quoted, styled } from './screen.ts';

/** More stores than a person would read. */
const MOST_STORES = 50;
/** In a line for each of many files: paths are brought to one width, up to this one. */
const MOST_PATH_CELLS = 60;
/** As wide as sizes get: '999 bytes'. */
const SIZE_CELLS = 9;

export async function info(run: Run, names: readonly string[]): Promise<void> {
  const files = filesOf(run, names);
  const many = files.length > 1;
  const width = Math.min(
    files.reduce((most, path) => Math.max(most, plain(path).length), 0),
    MOST_PATH_CELLS,
  );
  const sum = { files: 0, bytes: 0, patches: 0 };
  for (const path of files) {
    const found = await run.work(path, () => describeDatabase(path, run.optionsFor(path)));
    if (found === undefined) continue;
    if (many) run.say(lineOf(plain(path).padEnd(width), found));
    else page(run, path, found);
    sum.files++;
    sum.bytes += found.Bytes + found.LogBytes;
    sum.patches += patchesOf(found);
  }
  if (many) run.say(`${counted(sum.files, 'file')}, ${bytes(sum.bytes)}, ${counted(sum.patches, 'patch', 'patches')}`);
}

function patchesOf({ Stores }: SDS_DatabaseDescription): number {
  return (Stores ?? []).reduce((sum, { Patches }) => sum + Patches, 0);
}

const freeBytes = ({ FreePages, PageBytes }: SDS_DatabaseDescription): number => FreePages * PageBytes;

function lineOf(path: string, found: SDS_DatabaseDescription): string {
  const what = found.IsStoreFile
    ? `${counted(found.Stores?.length ?? 0, 'store')}, ${counted(patchesOf(found), 'patch', 'patches')}, ${counted(found.Values?.Count ?? 0, 'value')}`
    : `no file of this package: ${plain(found.Schema)}`;
  const cell = (count: number) => bytes(count).padStart(SIZE_CELLS);
  return `${path}  ${cell(found.Bytes)}  ${cell(freeBytes(found))} free  ${cell(found.LogBytes)} log  ${what}`;
}

function page(run: Run, path: string, found: SDS_DatabaseDescription): void {
  const row = (name: string, text: string) => run.say(`  ${name.padEnd(10)}${text}`);
  run.say(styled('bold', plain(path)));
  const whole = found.Pages * found.PageBytes;
  const withLog = whole > found.Bytes ? `; ${bytes(whole)} with its log` : '';
  row('size', `${bytes(found.Bytes)}${withLog}, of which ${bytes(freeBytes(found))} free`);
  row('log', found.LogBytes === 0 ? 'none' : bytes(found.LogBytes));
  row('changed', found.ModifiedAt);
  if (!found.IsStoreFile) {
    row('tables', `no file of this package: ${plain(found.Schema)}`);
    return;
  }
  const { Count = 0, Bytes = 0, References = 0 } = found.Values ?? {};
  row('values', `${number(Count)}, ${bytes(Bytes)}, with ${counted(References, 'reference')}`);
  const records = found.Records ?? { Count: 0, Bytes: 0 };
  if (records.Count > 0) row('records', `${number(records.Count)}, ${bytes(records.Bytes)}`);
  const stores = found.Stores ?? [];
  row('stores', number(stores.length));
  for (const store of stores.slice(0, MOST_STORES)) {
    const snapshot =
      store.SnapshotBytes === undefined
        ? 'no snapshot'
        : `snapshot of ${bytes(store.SnapshotBytes)} at ${store.SnapshotClock}`;
    const range =
      store.Patches === 0 ? '' : `, ${bytes(store.PatchBytes)}, numbers ${store.FirstClock} to ${store.LastClock}`;
    const records = store.Records === 0 ? '' : `; ${counted(store.Records, 'record')}, ${bytes(store.RecordBytes)}`;
    run.say(
      `    ${quoted(store.StoreId)}: ${snapshot}; ${counted(store.Patches, 'patch', 'patches')}${range}${records}`,
    );
  }
  if (stores.length > MOST_STORES)
    run.say(`    and ${number(stores.length - MOST_STORES)} more (all of them with --json)`);
}

export async function verify(run: Run, names: readonly string[]): Promise<void> {
  let sound = 0;
  const files = filesOf(run, names);
  for (const path of files) {
    const found = await run.work(
      path,
      () => verifyDatabase(path, run.optionsFor(path)),
      ({ Sound }) => Sound,
    );
    if (found === undefined) continue;
    if (found.Sound) sound++;
    report(run, path, found);
  }
  if (files.length > 1) run.say(`${number(sound)} of ${counted(files.length, 'file')} sound`);
}

function report(run: Run, path: string, { Sound, Findings, Checked, DurationMs }: SDS_VerifyResult): void {
  const { Bytes, Patches, Records, Values, ValuesWithHash } = Checked;
  const records = Records === 0 ? '' : `${counted(Records, 'record')}, `;
  const looked = `${bytes(Bytes)}, ${counted(Patches, 'patch', 'patches')}, ${records}${counted(Values, 'value')} (${number(ValuesWithHash)} against their hash)`;
  const verdict = Sound ? styled('green', 'sound') : styled('red', counted(Findings.length, 'finding'));
  run.say(`${plain(path)}: ${verdict}; ${looked}, ${duration(DurationMs)}`);
  if (run.quiet && !Sound) {
    const codes = new Set(Findings.map(({ Code }) => Code));
    run.complain(
      path,
      `${counted(Findings.length, 'finding')}: ${[...codes].join(', ')}; without --quiet 'verify' says more`,
    );
  }
  for (const { Code, Severity, Message, Advice, Count } of Findings) {
    const times = Count > 1 ? ` (and ${number(Count - 1)} more)` : '';
    run.say(`  ${styled(Severity === 'error' ? 'red' : 'yellow', Code)}: ${plain(Message)}${times}`);
    run.say(`    what to do: ${plain(Advice)}`);
  }
}

export async function schema(run: Run): Promise<void> {
  const text = await run.work('', async () => postgresqlSchema);
  if (text !== undefined) run.say(text.trimEnd());
}
