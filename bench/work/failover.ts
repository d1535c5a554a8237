/**
 * A primary with a synchronous standby dies by SIGKILL under load, and the standby is promoted: what was acknowledged
 * and is not there, and for how long nothing is committed; also when a call is committed that was made after the primary had died,
 * behind all that waited. The program has both servers in its URL and does nothing else.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { PASSWORD, USER } from '../../tests/support/postgresql-address.ts';
import { debian, findBinaries, howToHaveIt } from '../../tests/support/postgresql-binaries.ts';
import type { PostgresqlServer } from '../../tests/support/postgresql-server.ts';
import { promote, startPair } from '../../tests/support/postgresql-standby.ts';
import { postgresql } from '../drivers/provider.ts';
import { median } from '../measure.ts';
import type { Metrics, Work } from './work.ts';

const PATCH_BYTES = 200;
const PATCHES_A_TURN = 30;
/** What an operator's watch needs to see that the primary is gone. */
const NOTICED_AFTER_MS = 500;
/** Calls that are made while there is no server. */
const WAITING = 200;

function patchOf(clock: number): Uint8Array {
  const bytes = Buffer.alloc(PATCH_BYTES, clock & 0xff);
  bytes.writeUInt32LE(clock);
  return bytes;
}

async function storedOn(server: PostgresqlServer, database: string): Promise<Map<number, Buffer>> {
  const rows = await server.query<{ clock: string; data: Buffer }>('SELECT clock, data FROM sds_patches', [], database);
  return new Map(rows.map(({ clock, data }) => [Number(clock), data]));
}

async function failOver(pair: Awaited<ReturnType<typeof startPair>>, folder: string, loadMs: number) {
  const { primary, standby } = pair;
  const name = await primary.freshDatabase();
  const user = `${encodeURIComponent(USER)}:${encodeURIComponent(PASSWORD)}`;
  const hosts = `127.0.0.1:${primary.port},127.0.0.1:${standby.port}`;
  const database = await postgresql.open(folder, `postgres://${user}@${hosts}/${name}?sslmode=disable`);
  const store = database.store('store');
  const acknowledged: number[] = [];
  const failures: unknown[] = [];
  let clock = 0;
  let asked = Number.POSITIVE_INFINITY;
  let served = Number.NaN;
  const append = async () => {
    const mine = ++clock;
    await (store.appendPatch(patchOf(mine), mine) as Promise<void>).then(
      () => {
        acknowledged.push(mine);
        if (Number.isNaN(served) && performance.now() > asked) served = performance.now();
      },
      (error: unknown) => failures.push(error),
    );
  };
  const calls: Promise<void>[] = [];
  const until = performance.now() + loadMs;
  await append();
  while (performance.now() < until) {
    for (let i = 0; i < PATCHES_A_TURN; i++) calls.push(append());
    await new Promise(setImmediate);
  }
  const killedAt = performance.now();
  await primary.stop('kill');
  const before = acknowledged.length;
  const next = append();
  for (let i = 1; i < WAITING; i++) calls.push(append());
  await pause(NOTICED_AFTER_MS);
  asked = performance.now();
  await promote(standby);
  const promoted = performance.now();
  await next;
  const nextServed = performance.now();
  await Promise.all(calls);
  await database.close();
  if (failures.length > 0) throw failures[0];
  const stored = await storedOn(standby, name);
  const lost = acknowledged.filter((mine) => !stored.get(mine)?.equals(patchOf(mine))).length;
  return {
    acknowledged: before,
    lost,
    promotionMs: promoted - asked,
    promotionToCommitMs: Math.max(served - promoted, 0),
    promotionToNextMs: nextServed - promoted,
    withoutServiceMs: served - killedAt,
  };
}

export const failover: Work = async ({ folder, sizes }) => {
  const { failovers = 1, loadMs = 500 } = sizes;
  const binaries = debian() ?? findBinaries();
  if (binaries === undefined) throw new Error(`there is no PostgreSQL here: ${howToHaveIt}`);
  const results: Metrics[] = [];
  for (let i = 0; i < failovers; i++) {
    const pair = await startPair(binaries, true);
    try {
      results.push(await failOver(pair, folder, loadMs));
    } finally {
      await Promise.all([pair.primary.remove(), pair.standby.remove()]);
    }
  }
  const all = (name: string) => results.map((result) => result[name] ?? Number.NaN);
  const sum = (values: number[]) => values.reduce((one, other) => one + other, 0);
  return {
    postgresqlVersion: Number(binaries.version),
    acknowledged: sum(all('acknowledged')),
    lost: sum(all('lost')),
    promotionMs: median(all('promotionMs')),
    promotionToCommitMs: median(all('promotionToCommitMs')),
    promotionToNextMs: median(all('promotionToNextMs')),
    withoutServiceMs: median(all('withoutServiceMs')),
  };
};
