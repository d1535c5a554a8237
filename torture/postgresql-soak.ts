/**
 * A mixed load on PostgreSQL for minutes, the server restarted each minute: memory, connections, threads and open files
 * stay bounded, and in the end all that was not pruned is there.
 */
import { readdirSync } from 'node:fs';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { databaseOf, databasesOn } from '../tests/support/postgresql-engine.ts';
import type { Ending } from '../tests/support/postgresql-server.ts';
import { withServer } from './engines.ts';
import { patchOf } from './patches.ts';
import { Random } from './random.ts';
import { type RigContext, scaled, within } from './rig.ts';

const MiB = 1024 * 1024;
const MOST_CONNECTIONS = 2;
const MOST_GROWTH = 120 * MiB;
/** Until then heaps grow and shared memory is touched for the first time. */
const WARM_SECONDS = 120;
const endings: readonly Ending[] = ['fast', 'immediate', 'kill'];

/** A store, and what is in it. */
interface Store {
  provider: SDS_DesktopPersistenceProvider;
  index: number;
  /** Number of the first patch that is not pruned, and of the last one. */
  first: number;
  last: number;
  /** References of its value. */
  references: number;
}

export async function run({ seed, scale, report }: RigContext): Promise<void> {
  await withServer(report, async (server) => {
    const random = new Random(seed);
    const seconds = scaled(600, scale, 4);
    const warmAfter = Math.min(seconds / 3, WARM_SECONDS);
    const restartEvery = Math.min(60, seconds / 3);
    const place = await databasesOn(server).freshPlace();
    const stores = Array.from({ length: 6 }, (_, index): Store => {
      return {
        provider: new SDS_DesktopPersistenceProvider(place, `store ${index}`, { Overflow: 'block' }),
        index,
        first: 1,
        last: 0,
        references: 0,
      };
    });
    const start = performance.now();
    const elapsed = () => (performance.now() - start) / 1000;
    let warm: ReturnType<typeof figures> | undefined;
    let restarted = 0;
    let restarting: Promise<void> = Promise.resolve();
    while (elapsed() < seconds) {
      if (elapsed() > (restarted + 1) * restartEvery) {
        restarted++;
        restarting = server.restart(random.pick(endings));
        report.count('restarts of the server');
      }
      const calls = callsOn(random.pick(stores), random);
      await within(60_000, 'a round of the soak', Promise.all(calls));
      report.count('calls', calls.length);
      await restarting;
      const connections = await server.connectionsOf(databaseOf(place));
      report.most('most connections', connections);
      if (connections > MOST_CONNECTIONS) report.violation(`${connections} connections, bound ${MOST_CONNECTIONS}`);
      if (elapsed() > warmAfter) warm ??= figures();
    }
    const { rss, threads, files } = figures();
    const grown = rss - (warm?.rss ?? rss);
    report.most('MB that the process grew by once warm', Math.round(grown / 1e6));
    report.most('threads', threads);
    report.most('open files', files);
    if (seconds > 2 * WARM_SECONDS && grown > MOST_GROWTH)
      report.violation(`memory grew by ${Math.round(grown / 1e6)} MB`);
    if (threads !== warm?.threads) report.violation(`${warm?.threads} threads became ${threads}`);
    if (files > (warm?.files ?? 0) + 3) report.violation(`${warm?.files} open files became ${files}`);
    for (const { provider, index, first, last, references } of stores) {
      const patches = await provider.loadPatchesSince(0);
      const wrong = patches.findIndex((patch, i) => !patchOf(index, first + i).equals(patch));
      if (patches.length !== last - first + 1)
        report.violation(`${patches.length} patches instead of ${first} to ${last}`);
      else if (wrong >= 0) report.violation(`patch ${first + wrong} of store ${index} has other bytes`);
      const found = await server.query<{ ref_count: string }>(
        'SELECT ref_count FROM sds_values WHERE hash = $1',
        [`value ${index}`],
        databaseOf(place),
      );
      if (Number(found[0]?.ref_count ?? 0) !== references) {
        report.violation(`a count of ${found[0]?.ref_count ?? 0} instead of ${references}`);
      }
      await provider.close();
    }
    // the server notices a moment later
    const left = async () => {
      while ((await server.connectionsOf(databaseOf(place))) > 0)
        await new Promise((resolve) => setTimeout(resolve, 50));
    };
    await within(5000, 'the end of the connections', left());
  });
}

function callsOn(store: Store, random: Random): Promise<unknown>[] {
  const { provider, index } = store;
  const calls: Promise<unknown>[] = [];
  for (let i = random.below(200); i >= 0; i--) {
    store.last++;
    calls.push(provider.appendPatch(patchOf(index, store.last), store.last));
  }
  const hash = `value ${index}`;
  if (random.chance(0.3)) {
    store.references++;
    calls.push(provider.saveValue(hash, random.longBytes(random.below(400_000))));
  }
  if (random.chance(0.2)) {
    store.references = Math.max(0, store.references - 1);
    calls.push(provider.releaseValue(hash), provider.loadValue(hash));
  }
  if (random.chance(0.1)) {
    calls.push(provider.loadPatchesSince(store.last - 500));
    calls.push(provider.saveSnapshot(random.longBytes(300_000), store.last), provider.prunePatches(store.last));
    store.first = store.last;
  }
  return calls;
}

/** Where the system does not tell of threads and files, 0. */
function figures() {
  const count = (folder: string) => {
    try {
      return readdirSync(folder).length;
    } catch {
      return 0;
    }
  };
  return { rss: process.memoryUsage().rss, threads: count('/proc/self/task'), files: count('/proc/self/fd') };
}
