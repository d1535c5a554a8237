/** What a PostgreSQL server has to do besides: for patches that are pruned, and for a row that is updated all the time. */
import type pg from 'pg';
import { connect, packedQuery, tables } from '../drivers/postgresql-alone.ts';
import { median, patchesOf } from '../measure.ts';
import type { Metrics, Work } from '../work/work.ts';
import { logged, pidOf, timeOf } from './postgresql-server-costs.ts';

const BYTES = 200;
const BATCH = 4096;

async function msOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Processor time of the server's process for this connection, in µs. */
async function serverUsOf(pid: number, work: () => Promise<unknown>): Promise<number> {
  const before = timeOf(pid);
  await work();
  return timeOf(pid) - before;
}

/** Some patches of each of some stores are stored, pruned, and what is left of them is cleared away. */
export const postgresqlPrune: Work = async ({ server, sizes }) => {
  const { stores = 1, count = BATCH, samples = 1 } = sizes;
  const client = await connect(server);
  await client.query(tables);
  await client.query('ALTER TABLE sds_patches SET (autovacuum_enabled = false)');
  const patches = patchesOf(BYTES, BATCH);
  const pid = await pidOf(client);
  const each = Math.floor(count / stores);
  const rounds: { pruneUs: number; pruneLogBytes: number; vacuumUs: number; vacuumLogBytes: number }[] = [];
  for (let sample = 0; sample <= samples; sample++) {
    for (let store = 0; store < stores; store++) {
      for (let at = 0; at < each; at += BATCH) {
        const clocks = Array.from({ length: Math.min(BATCH, each - at) }, (_, i) => at + i + 1);
        await client.query(packedQuery(`store ${store}`, clocks, patches.slice(0, clocks.length)));
      }
    }
    const before = await logged(client);
    const pruneUs = await serverUsOf(pid, async () => {
      for (let store = 0; store < stores; store++) {
        await client.query('DELETE FROM sds_patches WHERE store_id = $1 AND clock < $2', [`store ${store}`, each + 1]);
      }
    });
    const pruned = await logged(client);
    const vacuumUs = await serverUsOf(pid, () => client.query('VACUUM sds_patches'));
    const rows = each * stores;
    rounds.push({
      pruneUs: pruneUs / rows,
      pruneLogBytes: (pruned - before) / rows,
      vacuumUs: vacuumUs / rows,
      vacuumLogBytes: ((await logged(client)) - pruned) / rows,
    });
  }
  await client.end();
  const middle = (name: keyof (typeof rounds)[number]) => median(rounds.slice(1).map((round) => round[name]));
  return {
    pruneUs: middle('pruneUs'),
    pruneLogBytes: middle('pruneLogBytes'),
    vacuumUs: middle('vacuumUs'),
    vacuumLogBytes: middle('vacuumLogBytes'),
  };
};

const update =
  "UPDATE sds_holders SET batch = batch + 1, expires = clock_timestamp() + interval '10 s' " +
  "WHERE session = 's' AND generation = 0 AND NOT fenced";
const SAMPLE = 50;
const LOOKS = [100, 1000, 10_000, 20_000];

async function updateUs(client: pg.Client, times: number): Promise<number> {
  const ms = await msOf(async () => {
    for (let i = 0; i < times; i++) await client.query({ name: 'update', text: update });
  });
  return (ms * 1000) / times;
}

/** The row that each transaction updates, while another transaction sees the database as it was (a dump does). */
export const postgresqlHolder: Work = async ({ server, sizes }) => {
  const { most = 100, isOpen = 0 } = sizes;
  const client = await connect(server);
  const other = await connect(server);
  await client.query(`SET synchronous_commit = off;
    CREATE TABLE sds_holders (session text, generation int, expires timestamptz, fenced boolean, batch int,
      PRIMARY KEY (session, generation));
    INSERT INTO sds_holders VALUES ('s', 0, now(), false, 0);`);
  await updateUs(client, SAMPLE);
  if (isOpen === 1) await other.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM sds_holders');
  const metrics: Metrics = {};
  let done = 0;
  for (const at of LOOKS.filter((look) => look <= most)) {
    await updateUs(client, at - done);
    done = at + SAMPLE;
    metrics[`updateUs after ${at.toLocaleString('en-US')}`] = await updateUs(client, SAMPLE);
  }
  await other.end();
  await client.end();
  return metrics;
};
