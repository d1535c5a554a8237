/** Moves into a PostgreSQL database whose process is killed, or whose connection is cut: called again, they finish, and nothing is there twice. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { copyStores } from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { differenceOf } from '../../torture/database-rows.ts';
import { freshFile } from '../support/files.ts';
import { makeOddFile, makeRandomFile } from '../support/moving.ts';
import { describeOnPostgresql, postgresql, proxiedPlace, server } from '../support/postgresql.ts';
import { databaseOf } from '../support/postgresql-engine.ts';
import { looseChunks } from '../support/postgresql-rows.ts';
import { randomOf } from '../support/random.ts';
import { linesOf, type Rows, rowsOf } from '../support/rows.ts';

const program = join(import.meta.dirname, '../support/copying.ts');
const KILLS = 20;
const CUTS = 20;

/** Returns whether it was killed, and not after it was done. */
async function killed(from: readonly string[], to: string, killAfterMs: number): Promise<boolean> {
  const args = ['--disable-warning=ExperimentalWarning', program, from.join('|'), to, String(killAfterMs)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [code, signal] = await once(child, 'close');
  // the one before was killed when all was there, and before it could say so
  if (said.includes("code: 'file-exists'")) return false;
  if (code !== 0 && signal !== 'SIGKILL') throw new Error(said);
  return signal === 'SIGKILL';
}

async function makeSources(): Promise<{ sources: string[]; rows: Rows }> {
  const sources = [
    makeOddFile(freshFile()),
    await makeRandomFile(freshFile(), 31),
    await makeRandomFile(freshFile(), 32),
  ];
  const all = sources.map(rowsOf);
  const rows = {
    patches: all.flatMap(({ patches }) => patches),
    snapshots: all.flatMap(({ snapshots }) => snapshots),
    blobs: all.flatMap(({ blobs }) => blobs),
  };
  return { sources, rows };
}

async function expectMoved(database: string, rows: Rows): Promise<void> {
  const found = await postgresql.rowsOf(server.url(database));
  expect(differenceOf(linesOf(found), linesOf(rows))).toBeUndefined();
  const client = await server.connect(database);
  expect(await looseChunks(client)).toBe(0);
  await client.end();
}

describeOnPostgresql('a move that is cut off', () => {
  it(`by SIGKILL, ${KILLS} times`, { timeout: 300_000 }, async () => {
    const { sources, rows } = await makeSources();
    const pick = randomOf(20_260_201);
    let url = await postgresql.freshPlace();
    for (let kills = 0; kills < KILLS; ) {
      if (await killed(sources, url, pick(400))) {
        kills++;
        continue;
      }
      await expectMoved(databaseOf(url), rows);
      url = await postgresql.freshPlace();
    }
    while (await killed(sources, url, 60_000));
    await expectMoved(databaseOf(url), rows);
  });

  it(`by a connection that ends at some byte, ${CUTS} times`, { timeout: 300_000 }, async () => {
    const { sources, rows } = await makeSources();
    const pick = randomOf(20_260_202);
    let { proxy, database, url } = await proxiedPlace();
    await copyStores(sources, url);
    const whole = { ...proxy.bytes };
    await expectMoved(database, rows);
    ({ proxy, database, url } = await proxiedPlace());
    for (let cuts = 0; cuts < CUTS; ) {
      const direction = pick(2) === 0 ? 'up' : 'down';
      // what was copied is not sent again
      void proxy.cutAfter(direction, Math.ceil((pick(whole[direction]) + 1) / 2));
      const outcome = await copyStores(sources, url, { LeaseMs: 1000 }).catch((error: unknown) => error);
      if (outcome instanceof Error) {
        expect(outcome).toMatchObject({ code: 'connection-failed' });
        cuts++;
        continue;
      }
      await expectMoved(database, rows);
      ({ proxy, database, url } = await proxiedPlace());
    }
    proxy.spare();
    await copyStores(sources, url, { LeaseMs: 1000 });
    await expectMoved(database, rows);
  });

  it.each([
    ['in the middle', 'WITH held AS'],
    ['at its end', 'DELETE FROM sds_claims WHERE session'],
  ])('by a connection that loses the answer to a commit %s', async (when, request) => {
    const { sources, rows } = await makeSources();
    const { proxy, database, url } = await proxiedPlace();
    let lost: Promise<void> | undefined;
    const copied = copyStores(sources, url, {
      LeaseMs: 1000,
      OnProgress({ Done }) {
        if (Done > 0) lost ??= proxy.loseAnswerTo({ [request]: 'COMMIT' });
      },
    });
    if (when === 'at its end') {
      await copied;
    } else {
      await expect(copied).rejects.toMatchObject({ code: 'connection-failed' });
      await copyStores(sources, url, { LeaseMs: 1000 });
    }
    await lost;
    await expectMoved(database, rows);
  });
});
