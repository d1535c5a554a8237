/** `watch`: looks at a file again and again while a program writes it. */
import { setTimeout as pause } from 'node:timers/promises';
import { describeDatabase, type SDS_DatabaseDescription } from '../main/index.ts';
import { output } from './output.ts';
import type { Run } from './run.ts';
import { bytes, fitted, number, plain, quoted } from './screen.ts';

interface Sample {
  /** When, in milliseconds since 1970. */
  At: number;
  Bytes: number;
  LogBytes: number;
  FreeBytes: number;
  /** Row number of the newest patch, which grows with each, and falls if that patch is deleted: then nobody knows how many have come. */
  Row: number;
  PatchesPerSecond?: number;
  NewestPatch: SDS_DatabaseDescription['NewestPatch'];
}

export async function watch(run: Run, path: string, everyMs: number, count: number): Promise<void> {
  let last: Sample | undefined;
  await run.work(path, async () => {
    for (let i = 0; i < count && !run.signal.aborted && output.isRead; i++) {
      const found = await describeDatabase(path, { Quick: true, Signal: run.signal }).catch((error: unknown) => {
        if (run.signal.aborted) return undefined;
        throw error;
      });
      if (found === undefined) break;
      last = sampleOf(found, last);
      run.item(path, last);
      show(run, path, last, i === 0);
      if (i + 1 < count) await pause(everyMs, undefined, { signal: run.signal }).catch(() => undefined); // stopped: the loop ends
    }
    return []; // beside those that are written
  });
  if (process.stdout.isTTY) run.say();
}

function sampleOf(found: SDS_DatabaseDescription, last: Sample | undefined): Sample {
  const At = Date.now();
  const Row = found.NewestPatch?.Row ?? 0;
  const seconds = last === undefined ? 0 : (At - last.At) / 1000;
  const stored = Row - (last?.Row ?? 0);
  return {
    At,
    Bytes: found.Bytes,
    LogBytes: found.LogBytes,
    FreeBytes: found.FreePages * found.PageBytes,
    Row,
    ...(stored < 0 ? {} : { PatchesPerSecond: seconds > 0 ? Math.round(stored / seconds) : 0 }),
    NewestPatch: found.NewestPatch,
  };
}

function show(run: Run, path: string, sample: Sample, isFirst: boolean): void {
  const time = new Date(sample.At).toISOString().slice(11, 19);
  const newest = sample.NewestPatch;
  const last = newest === undefined ? 'no patches' : `newest: ${quoted(newest.StoreId)} ${newest.Clock}`;
  const rate = sample.PatchesPerSecond === undefined ? '?' : number(sample.PatchesPerSecond);
  const line = `${time}  ${rate} patches/s  file ${bytes(sample.Bytes)}  log ${bytes(sample.LogBytes)}  free ${bytes(sample.FreeBytes)}  ${last}`;
  if (isFirst) run.say(plain(path));
  if (run.json || run.quiet) return;
  const { isTTY, columns } = process.stdout;
  process.stdout.write(isTTY ? `\r\u001b[K${fitted(line, columns)}` : `${line}\n`);
}
