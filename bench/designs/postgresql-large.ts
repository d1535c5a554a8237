/** Ways to bring 64 MB to PostgreSQL over one connection, and back. */
import type pg from 'pg';
import { CHUNK_BYTES, chunkRows, connect, copyIn, loadChunks, tables } from '../drivers/postgresql-alone.ts';
import { byteaArray, int4Array } from '../drivers/postgresql-wire.ts';
import { measure, median, randomBytes } from '../measure.ts';
import type { Work } from '../work/work.ts';
import { pidOf, timeOf } from './postgresql-server-costs.ts';

interface Task {
  client: pg.Client;
  data: Buffer;
  version: string;
  /** Bytes of a row. */
  chunk: number;
  /** Bytes that cross with one statement. */
  parameter: number;
  inFlight: number;
}

const table = 'sds_snapshot_chunks';

const copy = ({ client, data, version, chunk }: Task) => copyIn(client, table, chunkRows('s', version, data, chunk));

/** Statements with several rows' bytes each, in one transaction. */
async function byStatements(task: Task, statement: (bytes: Buffer, first: number) => Promise<unknown>): Promise<void> {
  const { client, data, chunk, parameter, inFlight } = task;
  await client.query('BEGIN');
  const underWay: Promise<unknown>[] = [];
  for (let at = 0; at < data.byteLength; at += parameter) {
    if (underWay.length === inFlight) await underWay.shift();
    underWay.push(statement(data.subarray(at, at + parameter), at / chunk));
  }
  await Promise.all(underWay);
  await client.query('COMMIT');
}

const cutByServer = (task: Task) =>
  byStatements(task, (bytes, first) =>
    task.client.query(
      `INSERT INTO ${table} SELECT 's', $1::text, $2::int + g, substring($3::bytea FROM 1 + g * ${task.chunk} FOR ${task.chunk})
       FROM generate_series(0, ${bytes.byteLength / task.chunk - 1}) g`,
      [task.version, first, bytes],
    ),
  );

const asArray = (task: Task) =>
  byStatements(task, (bytes, first) => {
    const parts = Array.from({ length: bytes.byteLength / task.chunk }, (_, i) =>
      bytes.subarray(i * task.chunk, (i + 1) * task.chunk),
    );
    return task.client.query(
      `INSERT INTO ${table} SELECT 's', $1::text, u.n, u.d FROM unnest($2::int[], $3::bytea[]) u(n, d)`,
      [task.version, int4Array(parts.map((_, i) => first + i)), byteaArray(parts)],
    );
  });

/** With the rows of the one before deleted in the same transaction. */
async function copyAndDelete(task: Task): Promise<void> {
  await task.client.query('BEGIN');
  await copy(task);
  await task.client.query(`DELETE FROM ${table} WHERE version <> $1`, [task.version]);
  await task.client.query('COMMIT');
}

export const saveWays = { copy, copyAndDelete, cutByServer, asArray };
const saves = Object.values(saveWays);

export const postgresqlSave: Work = async ({ server, sizes }) => {
  const { way = 0, bytes = 1024, samples = 1, chunk = CHUNK_BYTES, parameter = 1024 * 1024, inFlight = 1 } = sizes;
  const client = await connect(server, inFlight > 1);
  await client.query(tables);
  if (sizes.plain === 1) await client.query(`ALTER TABLE ${table} ALTER COLUMN data SET STORAGE PLAIN`);
  if (sizes.external === 1) await client.query(`ALTER TABLE ${table} ALTER COLUMN data SET STORAGE EXTERNAL`);
  const data = Buffer.from(randomBytes(bytes).buffer);
  const save = saves[way];
  if (save === undefined) throw new Error(`there is no way ${way}`);
  const pid = await pidOf(client);
  const costs: { wholeMs: number; mainMs: number; serverMs: number }[] = [];
  for (let sample = 0; sample <= samples; sample++) {
    const before = timeOf(pid);
    const version = `${sample}`;
    const { mainUs, wallUs } = await measure(() => save({ client, data, version, chunk, parameter, inFlight }));
    costs.push({ wholeMs: wallUs / 1000, mainMs: mainUs / 1000, serverMs: (timeOf(pid) - before) / 1000 });
    // afterwards, not measured: as if it were done when nobody waits
    await client.query(`DELETE FROM ${table} WHERE version <> $1`, [version]);
  }
  await client.end();
  const middle = (name: keyof (typeof costs)[number]) => median(costs.slice(1).map((cost) => cost[name]));
  return { wholeMs: middle('wholeMs'), mainMs: middle('mainMs'), serverMs: middle('serverMs') };
};

async function selectAll(client: pg.Client, bytes: number, rowsAStatement: number): Promise<void> {
  const found = Buffer.allocUnsafeSlow(bytes);
  let at = 0;
  for (let first = 0; at < bytes; first += rowsAStatement) {
    const { rows } = await client.query<{ data: Buffer }>(
      `SELECT data FROM ${table} WHERE version = '0' AND chunk >= $1 AND chunk < $2 ORDER BY chunk`,
      [first, first + rowsAStatement],
    );
    for (const { data } of rows) at += data.copy(found, at);
  }
}

export const postgresqlLoad: Work = async ({ server, sizes }) => {
  const { bytes = 1024, samples = 1, chunk = CHUNK_BYTES, rowsAStatement = 0 } = sizes;
  const client = await connect(server);
  await client.query(tables);
  if (sizes.plain === 1) await client.query(`ALTER TABLE ${table} ALTER COLUMN data SET STORAGE PLAIN`);
  const data = Buffer.from(randomBytes(bytes).buffer);
  await copyIn(client, table, chunkRows('s', '0', data, chunk));
  const costs: { wholeMs: number; mainMs: number }[] = [];
  for (let sample = 0; sample <= samples; sample++) {
    const { mainUs, wallUs } = await measure(() =>
      rowsAStatement === 0 ? loadChunks(client, '0', bytes) : selectAll(client, bytes, rowsAStatement),
    );
    costs.push({ wholeMs: wallUs / 1000, mainMs: mainUs / 1000 });
  }
  await client.end();
  const middle = (name: 'wholeMs' | 'mainMs') => median(costs.slice(1).map((cost) => cost[name]));
  return { wholeMs: middle('wholeMs'), mainMs: middle('mainMs') };
};
