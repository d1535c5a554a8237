/**
 * A mixed load for minutes: memory, the write-ahead log and the number of threads stay flat, also
 * while another process holds a reader open; the log shrinks afterwards.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { patchOf } from './patches.ts';
import { Random } from './random.ts';
import { type RigContext, scaled, withFolder, within } from './rig.ts';

const MiB = 1024 * 1024;
/** Bound of the log under load: it is taken back at 48 MiB, and a batch of 4 MiB and one attachment may follow. */
const MOST_WAL = 64 * MiB;
/** After the load, once nobody reads. */
const SMALL_WAL = 4 * MiB;
const MOST_GROWTH = 120 * MiB;

export async function run({ seed, scale, report }: RigContext): Promise<void> {
  const random = new Random(seed);
  const seconds = scaled(600, scale, 4);
  await withFolder(async (folder) => {
    const paths = [0, 1, 2].map((i) => join(folder, `soak-${i}.db`));
    const providers = paths.flatMap((path) =>
      ['a', 'b'].map((store) => new SDS_DesktopPersistenceProvider(path, store)),
    );
    const walSize = () =>
      Math.max(...paths.map((path) => statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0));
    const clocks = providers.map(() => 0);
    const start = performance.now();
    const elapsed = () => (performance.now() - start) / 1000;
    let warm: { rss: number; threads: number } | undefined;
    let reader: DatabaseSync | undefined;
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
      // a reader that stays for a while keeps the log from being taken back as a whole
      if (random.chance(0.01)) {
        reader?.close();
        reader = new DatabaseSync(random.pick(paths));
        reader.exec('PRAGMA busy_timeout = 5000; BEGIN');
        reader.prepare('SELECT count(*) FROM patches').get();
      } else if (random.chance(0.02)) {
        reader?.close();
        reader = undefined;
      }
      const reading = reader === undefined ? '' : ' while a reader stayed';
      report.most(`largest log in MB${reading}`, Math.round(walSize() / 1e6));
      if (reader === undefined && walSize() > MOST_WAL) report.violation(`the log grew to ${walSize()} bytes`);
      if (warm === undefined && elapsed() > seconds / 3) warm = { rss: process.memoryUsage.rss(), threads: threads() };
    }
    reader?.close();
    const grown = process.memoryUsage.rss() - (warm?.rss ?? 0);
    report.count('seconds', seconds);
    report.most('MB grown in the last two thirds', Math.max(0, Math.round(grown / 1e6)));
    report.most('threads', threads());
    if (grown > MOST_GROWTH) report.violation(`memory grew by ${Math.round(grown / 1e6)} MB`);
    if (threads() !== warm?.threads) report.violation(`${warm?.threads} threads became ${threads()}`);
    // idle: the worker takes the log back by itself
    const until = performance.now() + 15_000;
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
