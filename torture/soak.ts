/**
 * A mixed load for minutes: memory, the write-ahead log and the number of threads stay flat, also
 * while another process holds a reader open; the log shrinks afterwards.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { patchOf } from './patches.ts';
import { Random } from './random.ts';
import { type RigContext, scaled, withFolder, within } from './rig.ts';

const MiB = 1024 * 1024;
/** Bound of the log under load: a checkpoint comes at 48 MiB; until it is looked at, a batch of 4 MiB and one attachment may follow. */
const MOST_WAL = 64 * MiB;
/** Above what a reader made of it: the next checkpoint comes after 2 MiB, the same may follow, and then the log is used anew. */
const MOST_AFTER_READER = 8 * MiB;
/** After the load, once nobody reads. */
const SMALL_WAL = 4 * MiB;
const MOST_GROWTH = 120 * MiB;
/** For the first minutes V8 enlarges the young generation of each thread's heap, and the arenas are touched for the first time. */
const WARM_SECONDS = 120;
const MOST_WARMING = 500 * MiB;

export async function run({ seed, scale, report }: RigContext): Promise<void> {
  const random = new Random(seed);
  const seconds = scaled(600, scale, 4);
  const warmAfter = Math.min(seconds / 3, WARM_SECONDS);
  await withFolder(async (folder) => {
    const paths = [0, 1, 2].map((i) => join(folder, `soak-${i}.db`));
    const providers = paths.flatMap((path) =>
      ['a', 'b'].map((store) => new SDS_DesktopPersistenceProvider(path, store)),
    );
    const walOf = (path: string) => statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    const walSize = () => Math.max(...paths.map(walOf));
    const reader = fork(join(import.meta.dirname, 'children', 'reading.ts'), {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    const read = async (path?: string) => {
      reader.send({ path });
      await within(60_000, 'the reader', once(reader, 'message'));
    };
    const clocks = providers.map(() => 0);
    const start = performance.now();
    const elapsed = () => (performance.now() - start) / 1000;
    let warm: { rss: number; threads: number } | undefined;
    /** The file that the reader has open, and the largest log of each file while it had one open there, until that is used up. */
    let readPath: string | undefined;
    const madeByReader = new Map<string, number>();
    while (elapsed() < seconds) {
      const index = random.below(providers.length);
      const provider = providers[index] as SDS_DesktopPersistenceProvider;
      const calls: Promise<unknown>[] = [];
      for (let i = random.below(200); i >= 0; i--) {
        const clock = (clocks[index] ?? 0) + 1;
        clocks[index] = clock;
        calls.push(provider.appendPatch(patchOf(0, clock), clock));
      }
      const hash = `value ${random.below(20)}`;
      if (random.chance(0.2)) calls.push(provider.saveValue(hash, random.longBytes(random.below(200_000))));
      if (random.chance(0.2)) calls.push(provider.releaseValue(hash), provider.loadValue(hash));
      if (random.chance(0.1)) {
        const clock = clocks[index] ?? 0;
        calls.push(
          provider.loadPatchesSince(clock - 500),
          provider.saveSnapshot(random.longBytes(300_000), clock),
          provider.prunePatches(clock),
        );
      }
      await within(60_000, 'a round of the soak', Promise.all(calls));
      report.count('calls', calls.length);
      // a reader that stays for a while keeps the log from being used anew
      if (random.chance(0.01)) {
        readPath = random.pick(paths);
        await read(readPath);
      } else if (readPath !== undefined && random.chance(0.02)) {
        readPath = undefined;
        await read();
      }
      for (const path of paths) {
        const size = walOf(path);
        if (path === readPath) {
          madeByReader.set(path, Math.max(size, madeByReader.get(path) ?? 0));
          report.most('largest log in MB while a reader stayed', Math.round(size / 1e6));
          continue;
        }
        report.most('largest log in MB', Math.round(size / 1e6));
        const bound = Math.max(MOST_WAL, (madeByReader.get(path) ?? 0) + MOST_AFTER_READER);
        if (size > bound) report.violation(`without a reader the log grew to ${size} bytes, bound ${bound}`);
        if (size <= MOST_WAL) madeByReader.delete(path);
      }
      if (warm === undefined && elapsed() > warmAfter) warm = { rss: process.memoryUsage.rss(), threads: threads() };
    }
    if (readPath !== undefined) await read();
    reader.disconnect();
    const grown = process.memoryUsage.rss() - (warm?.rss ?? 0);
    report.count('seconds', seconds);
    report.most(`MB grown after ${Math.round(warmAfter)} s`, Math.max(0, Math.round(grown / 1e6)));
    report.most('threads', threads());
    const mostGrowth = seconds > 2 * WARM_SECONDS ? MOST_GROWTH : MOST_WARMING;
    if (grown > mostGrowth) report.violation(`memory grew by ${Math.round(grown / 1e6)} MB`);
    if (threads() !== warm?.threads) report.violation(`${warm?.threads} threads became ${threads()}`);
    // idle: the worker takes the log back by itself
    const until = performance.now() + 60_000;
    while (walSize() > SMALL_WAL && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 100));
    if (walSize() > SMALL_WAL) report.violation(`when idle the log still has ${walSize()} bytes`);
    await Promise.all(providers.map((provider) => provider.close()));
  });
}

/** Threads of this process; where the system does not tell, 0. */
function threads(): number {
  try {
    return readdirSync('/proc/self/task').length;
  } catch {
    return 0;
  }
}
