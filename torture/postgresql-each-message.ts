/**
 * Each message between a program and its PostgreSQL server is, in turn, the one at which the line is cut (before it, behind it, within
 * it), or the last one for a while, or a statement that fails. What is cut or late is made good by the provider: no call is rejected,
 * and each is carried out once. What fails rejects with the right code, is not stored, and keeps no other call.
 */
import { join } from 'node:path';
import { copyStores } from 'sds-persistence-worker';
import type { Engine } from '../tests/support/engine.ts';
import type { PostgresqlAddress } from '../tests/support/postgresql-address.ts';
import { databaseOf, databasesOn } from '../tests/support/postgresql-engine.ts';
import type { Direction } from '../tests/support/tcp-proxy.ts';
import { withServer } from './engines.ts';
import { type Fault, MessageProxy, type Mishap, mishaps } from './message-proxy.ts';
import { makeSource, type Scene, scenesOf } from './message-scenes.ts';
import { Random } from './random.ts';
import { type RigContext, withFolder } from './rig.ts';

/** How many are played at a time: most of the time they wait. */
const LANES = 6;
/** Of those that are late, which take some seconds, not every one. */
const LATE_STEP = 4;

/** How statements fail, and what calls may say then. */
const codes: Record<string, string> = {
  57014: 'database-busy',
  53100: 'database-full',
  42501: 'read-only',
  53200: 'io-error',
};
/** What is asked first on each connection, before anybody is let in. */
const QUESTION = 'SHOW transaction_read_only';
/** What calls may say if that fails. */
const codesAtTheDoor: typeof codes = { ...codes, 42501: 'open-failed', 53200: 'connection-failed' };

const WITHOUT_TABLES = `DO $$
  DECLARE name text;
  BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE 'sds\\_%' LOOP
      EXECUTE format('DROP TABLE %I CASCADE', name);
    END LOOP;
  END $$`;

export async function run(context: RigContext): Promise<void> {
  await withServer(context.report, (server) => runOn(server, databasesOn(server), context));
}

export async function runOn(
  server: PostgresqlAddress,
  engine: Engine,
  { seed, scale, report }: RigContext,
): Promise<void> {
  const random = new Random(seed);
  const step = Math.round(1 / scale);
  let turn: Promise<unknown> = Promise.resolve();
  await withFolder(async (folder) => {
    const source = await makeSource(folder);
    for (const scene of scenesOf(source)) {
      const { seen } = await play(scene, undefined, 'without a fault');
      const possible = mishaps.filter((mishap) => mishap !== 'fails' || scene.fails);
      const faults = possible.flatMap((mishap) => faultsOf(mishap, seen));
      const left = faults.values();
      await Promise.all(
        Array.from({ length: LANES }, async () => {
          for (const fault of left) await meet(scene, fault);
        }),
      );
    }

    /** Every so many of the messages that came without a fault. */
    function faultsOf(mishap: Mishap, seen: MessageProxy['seen']): Fault[] {
      const every = mishap === 'late' ? step * LATE_STEP : step;
      const first = random.below(every);
      return (['up', 'down'] as const)
        .flatMap((direction) => seen[direction].map((words, number) => ({ direction, number, words })))
        .filter(({ direction, words }) => makesSense(mishap, direction, words))
        .filter((_, i) => i % every === first)
        .map(({ direction, number }) => ({ mishap, direction, number, sqlstate: random.pick(Object.keys(codes)) }));
    }

    async function meet(scene: Scene, fault: Fault): Promise<void> {
      const { struck } = await play(
        scene,
        fault,
        `seed ${seed}, ${fault.mishap}, message ${fault.number} ${fault.direction}`,
      );
      report.count(
        `${scene.name}: ${struck === undefined ? 'faults that did not happen' : `messages (${fault.mishap})`}`,
      );
    }

    /** The server's connection for what is asked beside carries out one query at a time. */
    function alone<T>(work: () => Promise<T>): Promise<T> {
      const done = turn.then(work);
      turn = done.catch(() => undefined);
      return done;
    }

    async function play(scene: Scene, fault: Fault | undefined, what: string): Promise<MessageProxy> {
      const place = await alone(() => engine.freshPlace());
      const database = databaseOf(place);
      if (scene.begins === 'empty') await server.query(WITHOUT_TABLES, [], database);
      if (scene.begins === 'full') await copyStores(source, place);
      const proxy = await MessageProxy.listen(server.port, server.host, fault);
      const violation = (found: string) => report.violation(`${scene.name}, ${what} (${proxy.struck}): ${found}`);
      try {
        await scene.play({
          url: server.url(database, { port: proxy.port }),
          mayReject: (code) => {
            if (fault?.mishap !== 'fails') return false;
            const expected = proxy.struck?.includes(QUESTION) ? codesAtTheDoor : codes;
            return code === expected[fault.sqlstate];
          },
          isWhole: fault?.mishap !== 'fails',
          isSilent: fault?.mishap === 'late',
          lift: () => proxy.lift(),
          rows: () => engine.rowsOf(place),
          claims: async () => (await server.query('SELECT FROM sds_claims', [], database)).length,
          file: join(folder, `${database}.db`),
          violation,
          report,
        });
      } catch (error) {
        violation(String((error as Error).stack));
      }
      await proxy.close();
      await alone(() => engine.discard(place));
      return proxy;
    }
  });
}

/** A line that is cut behind one message is as good as cut before the next one, unless that is an answer. */
function makesSense(mishap: Mishap, direction: Direction, words: string): boolean {
  // a server undoes whenever it is asked to
  if (mishap === 'fails') return direction === 'up' && words.startsWith('P ') && words !== 'P ROLLBACK';
  return mishap !== 'cut behind' || (direction === 'up' && !words.startsWith('P '));
}
