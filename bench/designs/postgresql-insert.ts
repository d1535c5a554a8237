/** Ways to get many patches into PostgreSQL over one connection: what the engine's statements are made of. */
import type pg from 'pg';
import { connect, copyIn, packedQuery, tables } from '../drivers/postgresql-alone.ts';
import { byteaArray, int8Array, textArray } from '../drivers/postgresql-wire.ts';
import { median, patchesOf } from '../measure.ts';
import type { Work } from '../work/work.ts';
import { logged, numberFrom, pidOf, timeOf } from './postgresql-server-costs.ts';

const BYTES = 200;

/** What one statement stores; `names` has the store of each patch. */
interface Batch {
  store: string;
  names: readonly string[];
  clocks: readonly number[];
  patches: readonly Buffer[];
}

type Way = (client: pg.Client, batch: Batch) => Promise<unknown>;

const holder =
  "UPDATE sds_holders SET batch = batch + 1, expires = clock_timestamp() + interval '10 s' " +
  "WHERE session = 's' AND generation = 0 AND NOT fenced";
const into = 'INSERT INTO sds_patches (store_id, clock, data)';
const ofOne = 'unnest($2::bigint[], $3::bytea[]) u(c, d)';
const ofMany = 'unnest($1::text[], $2::bigint[], $3::bytea[]) u(s, c, d)';

const valuesOf = ({ store, clocks, patches }: Batch) => [store, int8Array(clocks), byteaArray(patches)];
const valuesOfMany = ({ names, clocks, patches }: Batch) => [textArray(names), int8Array(clocks), byteaArray(patches)];

/** In the order of the tables of the benchmark: the first of each is the one that is built in. */
const ways: Record<string, Way> = {
  guarded: (client, batch) =>
    client.query(
      `WITH held AS (${holder} AND NOT EXISTS (SELECT 1 FROM sds_patches WHERE store_id = $1 AND clock BETWEEN $4 AND $5)
       RETURNING 1) ${into} SELECT $1::text, u.c, u.d FROM ${ofOne}, held`,
      [...valuesOf(batch), batch.clocks[0], batch.clocks.at(-1)],
    ),
  onConflictHeld: (client, batch) =>
    client.query(
      `WITH held AS (${holder} RETURNING 1) ${into} SELECT $1::text, u.c, u.d FROM ${ofOne}, held ON CONFLICT DO NOTHING`,
      valuesOf(batch),
    ),
  onConflict: (client, batch) =>
    client.query(`${into} SELECT $1::text, u.c, u.d FROM ${ofOne} ON CONFLICT DO NOTHING`, valuesOf(batch)),
  packed: (client, { store, clocks, patches }) => client.query(packedQuery(store, clocks, patches)),
  notExists: (client, batch) =>
    client.query(
      `${into} SELECT $1::text, u.c, u.d FROM ${ofOne}
       WHERE NOT EXISTS (SELECT 1 FROM sds_patches p WHERE p.store_id = $1 AND p.clock = u.c)`,
      valuesOf(batch),
    ),
  numbersAsText: (client, batch) =>
    client.query(`${into} SELECT $1::text, u.c, u.d FROM ${ofOne} ON CONFLICT DO NOTHING`, [
      batch.store,
      `{${batch.clocks.join(',')}}`,
      byteaArray(batch.patches),
    ]),
  values: (client, { store, clocks, patches }) =>
    client.query(
      `${into} VALUES ${clocks.map((_, i) => `($1, $${2 * i + 2}, $${2 * i + 3})`).join(', ')} ON CONFLICT DO NOTHING`,
      [store, ...clocks.flatMap((clock, i) => [clock, patches[i]])],
    ),
  copy: (client, { store, clocks, patches }) =>
    copyIn(client, 'sds_patches', rowsOf(Buffer.from(store), clocks, patches)),
  many: (client, batch) => client.query(`${into} SELECT u.s, u.c, u.d FROM ${ofMany}`, valuesOfMany(batch)),
  manyOnConflict: (client, batch) =>
    client.query(`${into} SELECT u.s, u.c, u.d FROM ${ofMany} ON CONFLICT DO NOTHING`, valuesOfMany(batch)),
  manyByNumber: (client, { names, clocks, patches }) => {
    const stores = [...new Set(names)];
    const places = new Map(stores.map((name, i) => [name, i + 1]));
    return client.query(
      `${into} SELECT ($1::text[])[u.s], u.c, u.d FROM unnest($4::bigint[], $2::bigint[], $3::bytea[]) u(s, c, d)
       ON CONFLICT DO NOTHING`,
      [
        textArray(stores),
        int8Array(clocks),
        byteaArray(patches),
        int8Array(names.map((name) => places.get(name) ?? 0)),
      ],
    );
  },
  manyStatements: async (client, { names, clocks, patches }) => {
    const sent: Promise<unknown>[] = [client.query('BEGIN')];
    for (let at = 0; at < names.length; ) {
      const from = at;
      while (at < names.length && names[at] === names[from]) at++;
      sent.push(
        client.query({
          name: 'of one store',
          text: `${into} SELECT $1::text, u.c, u.d FROM ${ofOne} ON CONFLICT DO NOTHING`,
          values: [names[from], int8Array(clocks.slice(from, at)), byteaArray(patches.slice(from, at))],
        }),
      );
    }
    await Promise.all([...sent, client.query('COMMIT')]);
  },
};

export const wayNumber = (name: string): number => Object.keys(ways).indexOf(name);

function* rowsOf(store: Buffer, clocks: readonly number[], patches: readonly Buffer[]) {
  for (const [i, clock] of clocks.entries()) {
    const number = Buffer.alloc(8);
    number.writeBigInt64BE(BigInt(clock));
    yield { fields: [store, number], data: patches[i] ?? Buffer.alloc(0) };
  }
}

export const postgresqlInsert: Work = async ({ server, sizes }) => {
  const { way = 0, batch: size = 4096, inFlight = 1, stores = 1, count = 4096, bursts = 1 } = sizes;
  const insert = Object.values(ways)[way];
  if (insert === undefined) throw new Error(`there is no way ${way}`);
  const pipeline = inFlight > 1 || insert === ways.manyStatements;
  const client = await connect(server, pipeline);
  await client.query(`${tables}
    CREATE TABLE sds_holders (session text, generation int, expires timestamptz, fenced boolean, batch int,
      PRIMARY KEY (session, generation));
    INSERT INTO sds_holders VALUES ('s', 0, now(), false, 0);`);
  const pid = await pidOf(client);
  const bytes = patchesOf(BYTES, 1024).map((one) => Buffer.from(one.buffer));
  let done = 0;
  const next = (): Batch => {
    const each = size / stores;
    const at = done;
    done += size;
    return {
      store: 'store 0',
      names: Array.from({ length: size }, (_, i) => `store ${Math.floor(i / each)}`),
      clocks: Array.from({ length: size }, (_, i) => (stores === 1 ? at + i + 1 : at / stores + (i % each) + 1)),
      patches: Array.from({ length: size }, (_, i) => bytes[(at + i) % bytes.length] as Buffer), // a remainder is within bounds
    };
  };
  const samples: { perSecond: number; clientUs: number; serverUs: number; logBytes: number }[] = [];
  for (let burst = 0; burst <= bursts; burst++) {
    await client.query('CHECKPOINT').catch(() => undefined); // only its owner may; it makes bursts alike
    const batches = Array.from({ length: Math.ceil(count / size) }, next);
    const [log, served, used, start] = [await logged(client), timeOf(pid), process.cpuUsage(), performance.now()];
    const underWay: Promise<unknown>[] = [];
    for (const one of batches) {
      if (underWay.length === inFlight) await underWay.shift();
      underWay.push(insert(client, one));
    }
    await Promise.all(underWay);
    const ms = performance.now() - start;
    const rows = batches.length * size;
    const { user, system } = process.cpuUsage(used);
    samples.push({
      perSecond: (rows / ms) * 1000,
      clientUs: (user + system) / rows,
      serverUs: (timeOf(pid) - served) / rows,
      logBytes: ((await logged(client)) - log) / rows,
    });
  }
  const counted = await numberFrom(client, '(SELECT count(*) FROM sds_patches)');
  if (counted !== done) throw new Error(`${counted} patches are stored, not ${done}`);
  const diskBytes = (await numberFrom(client, "pg_total_relation_size('sds_patches')")) / done;
  await client.end();
  const middle = (name: keyof (typeof samples)[number]) => median(samples.slice(1).map((sample) => sample[name]));
  return {
    perSecond: middle('perSecond'),
    clientUs: middle('clientUs'),
    serverUs: middle('serverUs'),
    logBytes: middle('logBytes'),
    diskBytes,
  };
};
