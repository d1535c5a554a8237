/**
 * Everything between a program and its PostgreSQL server is cut under mixed calls: the backend ended,
 * the server killed and started again, the connection cut at the n-th byte of either direction, an
 * answer lost. The program goes on by itself: every call is carried out, once.
 */
import type { Engine } from '../tests/support/engine.ts';
import type { PostgresqlAddress } from '../tests/support/postgresql-address.ts';
import { databaseOf, databasesOn } from '../tests/support/postgresql-engine.ts';
import type { Ending, PostgresqlServer } from '../tests/support/postgresql-server.ts';
import { type Direction, TcpProxy } from '../tests/support/tcp-proxy.ts';
import { withServer } from './engines.ts';
import { MixedCalls } from './mixed-calls.ts';
import { Random } from './random.ts';
import { type RigContext, scaled, within } from './rig.ts';

const ROUNDS_PER_PLACE = 20;
const CALLS = 40;
const endings: readonly Ending[] = ['kill', 'immediate', 'fast'];

interface Scene {
  database: string;
  proxy: TcpProxy;
  random: Random;
}

/** What is broken in a round: told when the calls begin, it resolves once it has happened, or can't happen any more. */
export interface Trouble {
  name: string;
  begin: (scene: Scene, done: Promise<unknown>) => Promise<boolean>;
}

export async function run(context: RigContext): Promise<void> {
  await withServer(context.report, async (server) => {
    for (const trouble of [...troublesOfLine(server), troubleOfServer(server)]) {
      await runTrouble(server, databasesOn(server), trouble, context);
    }
  });
}

export async function runTrouble(
  server: PostgresqlAddress,
  engine: Engine,
  { name, begin }: Trouble,
  { seed, scale, report }: RigContext,
): Promise<void> {
  const random = new Random(seed);
  const wanted = scaled(200, scale, 2);
  let happened = 0;
  for (let left = wanted * 3; happened < wanted && left > 0; ) {
    const place = await engine.freshPlace();
    const proxy = await TcpProxy.listen(server.port, server.host);
    const database = databaseOf(place);
    const calls = new MixedCalls(engine, place, random, report, { opened: server.url(database, { port: proxy.port }) });
    for (let round = 0; round < ROUNDS_PER_PLACE && happened < wanted && left > 0; round++, left--) {
      const where = `seed ${seed}, ${name}, place ${database}, round ${round}`;
      const times = random.chance(0.1) ? random.below(1000) : random.below(CALLS) + 1;
      const pauses = random.chance(0.5);
      const { promise: done, resolve: end } = Promise.withResolvers<void>();
      const began = performance.now();
      const trouble = begin({ database, proxy, random }, done);
      for (let i = 0; i < times; i++) {
        calls.make();
        if (pauses && random.chance(0.2)) await new Promise(setImmediate);
      }
      await within(60_000, `settling ${where}`, calls.settled());
      end();
      if (await trouble) happened++;
      report.most(`most ms of a round: ${name}`, Math.round(performance.now() - began));
      proxy.spare();
      await calls.judge(where);
    }
    await calls.close();
    await proxy.close();
    await engine.discard(place);
  }
  report.count(`times: ${name}`, happened);
  if (happened < wanted) report.violation(`${name} happened ${happened} times, not ${wanted}`);
}

/** Whether `trouble` came before the calls were done. */
const before = (trouble: Promise<unknown>, done: Promise<unknown>): Promise<boolean> =>
  Promise.race([trouble.then(() => true), done.then(() => false)]);

const soon = (random: Random, most: number) => new Promise((resolve) => setTimeout(resolve, random.next() ** 2 * most));

export function troublesOfLine(server: PostgresqlAddress): Trouble[] {
  /** Spread over a whole session: from its first byte to what the largest round sends. */
  const cut = (direction: Direction): Trouble => ({
    name: direction === 'up' ? 'connection cut in a request' : 'connection cut in an answer',
    begin: ({ proxy, random }, done) => {
      const most = direction === 'up' ? 200_000 : 4000;
      return before(proxy.cutAfter(direction, 1 + Math.floor(random.next() ** 4 * most)), done);
    },
  });
  return [
    cut('up'),
    cut('down'),
    {
      name: 'answer to a commit lost',
      begin: ({ proxy, random }, done) => {
        const whole: Record<string, string> = { COMMIT: 'COMMIT' };
        return before(proxy.loseAnswerTo(random.chance(0.5) ? whole : { 'INTO sds_patches': 'INSERT 0' }), done);
      },
    },
    {
      name: 'backend ended',
      begin: async ({ database, random }) => {
        await soon(random, 30);
        return (await server.killBackends(database)) > 0;
      },
    },
  ];
}

export function troubleOfServer(server: PostgresqlServer): Trouble {
  return {
    name: 'server killed or stopped, and started again',
    begin: async ({ random }) => {
      await soon(random, 30);
      await server.restart(random.pick(endings));
      return true;
    },
  };
}
