/**
 * Stores are copied from files into a PostgreSQL database, and that is cut off again and again: the process killed at
 * some moment, the connection cut at some byte. Called again, the copy ends, and all is there once.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { copyStores } from 'sds-persistence-worker';
import { makeOddFile, makeRandomFile } from '../tests/support/copied-files.ts';
import type { PostgresqlAddress } from '../tests/support/postgresql-address.ts';
import { databasesOn } from '../tests/support/postgresql-engine.ts';
import { linesOf, rowsOf } from '../tests/support/rows.ts';
import { TcpProxy } from '../tests/support/tcp-proxy.ts';
import { differenceOf } from './database-rows.ts';
import { withServer } from './engines.ts';
import { Random } from './random.ts';
import { codeOf, type RigContext, scaled, withFolder, within } from './rig.ts';

const child = join(import.meta.dirname, 'children', 'copying.ts');
const MOST_MS = 60_000;

export async function run(context: RigContext): Promise<void> {
  await withServer(context.report, (server) => runAt(server, context));
}

export async function runAt(server: PostgresqlAddress, { seed, scale, report }: RigContext): Promise<void> {
  const random = new Random(seed);
  const engine = databasesOn(server);
  await withFolder(async (folder) => {
    const sources = [
      makeOddFile(join(folder, 'odd.db'), 0.1),
      await makeRandomFile(join(folder, 'one.db'), seed),
      await makeRandomFile(join(folder, 'two.db'), seed + 1),
    ];
    const wanted = sources.flatMap((path) => linesOf(rowsOf(path))).sort();
    try {
      await killAgainAndAgain();
      await cutAgainAndAgain();
    } finally {
      await engine.end();
    }

    /** All of it is there once, and nothing else. */
    async function compare(url: string, what: string): Promise<void> {
      const difference = differenceOf(linesOf(await engine.rowsOf(url)), wanted);
      if (difference !== undefined) report.violation(`${what} (seed ${seed}): ${difference}`);
      await engine.discard(url);
      report.count('compared with the sources');
    }

    async function killAgainAndAgain(): Promise<void> {
      const kills = scaled(200, scale);
      let url = await engine.freshPlace();
      for (let killed = 0; killed < kills; ) {
        const ended = await within(MOST_MS, 'a copy in another process', copyElsewhere(url, random.below(400)));
        if (ended === 'killed') {
          killed++;
          report.count('processes killed');
          continue;
        }
        await compare(url, ended);
        url = await engine.freshPlace();
      }
      await within(MOST_MS, 'the last copy', copyElsewhere(url));
      await compare(url, 'after the last kill');
    }

    async function copyElsewhere(url: string, killAfterMs?: number): Promise<string> {
      const args = [child, sources.join('|'), url, ...(killAfterMs === undefined ? [] : [String(killAfterMs)])];
      const process_ = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args]);
      let said = '';
      process_.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      const [, signal] = await once(process_, 'close');
      if (said === '' && signal === 'SIGKILL') return 'killed';
      // the one before was killed when all was done, and before it could say so
      if (said !== 'done\n' && !said.startsWith('file-exists')) report.violation(`seed ${seed}: ${said}`);
      return said === 'done\n' ? 'done' : 'killed at its very end';
    }

    async function cutAgainAndAgain(): Promise<void> {
      const proxy = await TcpProxy.listen(server.port, server.host);
      const through = (url: string) => url.replace(`:${server.port}/`, `:${proxy.port}/`);
      let url = await engine.freshPlace();
      await copyStores(sources, through(url));
      const whole = { ...proxy.bytes };
      await compare(url, 'without a cut');
      url = await engine.freshPlace();
      const cuts = scaled(200, scale);
      for (let cut = 0; cut < cuts; ) {
        const direction = random.chance(0.5) ? 'up' : 'down';
        // what was copied is not sent again
        void proxy.cutAfter(direction, 1 + random.below(Math.ceil(whole[direction] / 2)));
        try {
          await within(MOST_MS, 'a copy', copyStores(sources, through(url)));
        } catch (error) {
          if (codeOf(error) !== 'connection-failed') report.violation(`seed ${seed}: ${String(error)}`);
          cut++;
          report.count('connections cut');
          continue;
        }
        await compare(url, `after ${cut} cuts`);
        url = await engine.freshPlace();
      }
      proxy.spare();
      await copyStores(sources, through(url));
      await compare(url, 'after the last cut');
      await proxy.close();
    }
  });
}
