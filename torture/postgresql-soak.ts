/**
 * A mixed load on PostgreSQL for minutes, the server restarted each minute: memory, connections, threads and open files
 * stay bounded, and in the end the rows are those of the calls.
 */
import { readdirSync } from 'node:fs';
import { databaseOf, databasesOn } from '../tests/support/postgresql-engine.ts';
import type { Ending } from '../tests/support/postgresql-server.ts';
import { withServer } from './engines.ts';
import { MixedCalls } from './mixed-calls.ts';
import { Random } from './random.ts';
import { type RigContext, scaled, within } from './rig.ts';

const MiB = 1024 * 1024;
const MOST_CONNECTIONS = 2;
const MOST_GROWTH = 150 * MiB;
/** Until then heaps grow and shared memory is touched for the first time. */
const WARM_SECONDS = 120;
const endings: readonly Ending[] = ['fast', 'immediate', 'kill'];

export async function run({ seed, scale, report }: RigContext): Promise<void> {
  await withServer(report, async (server) => {
    const random = new Random(seed);
    const seconds = scaled(600, scale, 4);
    const warmAfter = Math.min(seconds / 3, WARM_SECONDS);
    const restartEvery = Math.min(60, seconds / 3);
    const engine = databasesOn(server);
    const place = await engine.freshPlace();
    const calls = new MixedCalls(engine, place, random, report);
    const start = performance.now();
    const elapsed = () => (performance.now() - start) / 1000;
    let warm: { rss: number; threads: number; files: number } | undefined;
    let restarted = 0;
    let restarting: Promise<void> = Promise.resolve();
    for (let round = 0; elapsed() < seconds; round++) {
      if (elapsed() > (restarted + 1) * restartEvery) {
        restarted++;
        restarting = server.restart(random.pick(endings));
        report.count('restarts of the server');
      }
      for (let i = random.below(300); i >= 0; i--) calls.make();
      await within(60_000, 'a round of the soak', calls.settled());
      await restarting;
      // comparing all rows takes time that is to be spent on calls
      if (round % 20 === 0) await calls.judge(`seed ${seed}, round ${round} of the soak`);
      const connections = await server.connectionsOf(databaseOf(place));
      report.most('most connections', connections);
      if (connections > MOST_CONNECTIONS) report.violation(`${connections} connections, bound ${MOST_CONNECTIONS}`);
      if (elapsed() > warmAfter) warm ??= figures();
    }
    await calls.judge(`seed ${seed}, the end of the soak`);
    const { rss, threads, files } = figures();
    const grown = rss - (warm?.rss ?? rss);
    report.most('MB that the process grew by once warm', Math.round(grown / 1e6));
    report.most('threads', threads);
    report.most('open files', files);
    if (seconds > 2 * WARM_SECONDS && grown > MOST_GROWTH)
      report.violation(`memory grew by ${Math.round(grown / 1e6)} MB`);
    if (threads !== warm?.threads) report.violation(`${warm?.threads} threads became ${threads}`);
    if (files > (warm?.files ?? 0) + 3) report.violation(`${warm?.files} open files became ${files}`);
    await calls.close();
    const left = await server.connectionsOf(databaseOf(place));
    if (left > 0) report.violation(`${left} connections are left after close`);
  });
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
  globalThis.gc?.();
  return { rss: process.memoryUsage().rss, threads: count('/proc/self/task'), files: count('/proc/self/fd') };
}
