/** Patches as a server of many documents gets them: through a pipe, each to another of many stores of one database. */
import pg from 'pg';
import { measure } from '../measure.ts';
import { WARM_RATE } from './paced.ts';
import { delays, Program, pass, processorTime, store } from './paced-program.ts';
import type { Metrics, Work } from './work.ts';

export const RATES_OF_MANY = [1000, 5000, 20_000];

const LOOK_EVERY_MS = 100;

/** The most connections of others to the database that its server sees during some work. */
async function connectionsDuring(url: string, work: () => Promise<void>): Promise<number> {
  const client = new pg.Client(url);
  await client.connect();
  let most = 0;
  const look = async () => {
    const { rows } = await client.query<{ count: string }>(
      "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' " +
        'AND pid <> pg_backend_pid()',
    );
    most = Math.max(most, Number(rows[0]?.count));
  };
  const timer = setInterval(() => void look(), LOOK_EVERY_MS);
  await work();
  clearInterval(timer);
  await look();
  await client.end();
  return most;
}

export const pacedMany: Work = async ({ driver, folder, sizes, server }) => {
  const { stores: count = 10, warmMs = 500, blocks = 2, blockMs = 100, delaysMs = 500 } = sizes;
  const database = await driver.open(folder);
  const stores = Array.from({ length: count }, (_, i) => database.store(`store ${i}`));
  const opening = await measure(() => Promise.all(stores.map((one) => one.loadPatchesSince(0))));
  const program = new Program(stores);
  await program.receive(WARM_RATE, warmMs, store(program));
  await program.receive(WARM_RATE, warmMs, pass);
  const metrics: Metrics = { openMs: opening.wallUs / 1000 };
  for (const rate of RATES_OF_MANY) {
    const { mainUs, othersPercent } = await processorTime(program, rate, blocks, blockMs);
    metrics[`mainUs at ${rate}`] = mainUs;
    metrics[`workerPercent at ${rate}`] = othersPercent;
    const { p999, max } = await delays(program, rate, delaysMs);
    metrics[`p999Ms at ${rate}`] = p999;
    metrics[`maxMs at ${rate}`] = max;
    if (server === undefined || driver.sharesFile !== false) continue;
    const seen = await connectionsDuring(server, () => program.receive(rate, delaysMs, store(program)));
    metrics.connections = Math.max(metrics.connections ?? 0, seen);
  }
  await program.settle();
  await program.close();
  await database.close();
  return metrics;
};
