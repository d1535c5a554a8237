/** Through PgBouncer in transaction mode: mixed calls while backends are ended, several processes, random calls. */
import { findPgBouncer, howToHavePgBouncer, PgBouncer } from '../tests/support/pgbouncer.ts';
import { databaseOf, databasesOn } from '../tests/support/postgresql-engine.ts';
import { withServer } from './engines.ts';
import { MixedCalls } from './mixed-calls.ts';
import { runOn as killProcesses } from './postgresql-killed-processes.ts';
import { runOn as shareDatabase } from './postgresql-processes.ts';
import { Random } from './random.ts';
import type { RigContext } from './rig.ts';
import { scaled } from './rig.ts';

export async function run(context: RigContext): Promise<void> {
  const { seed, scale, report } = context;
  const program = findPgBouncer();
  if (program === undefined) return report.skip(howToHavePgBouncer);
  await withServer(report, async (server) => {
    const bouncer = await PgBouncer.start(program, server);
    try {
      const engine = databasesOn(server, bouncer.port);
      const random = new Random(seed);
      const place = await engine.freshPlace();
      const calls = new MixedCalls(engine, place, random, report);
      for (let round = 0; round < scaled(200, scale, 4); round++) {
        for (let i = random.below(60); i >= 0; i--) {
          calls.make();
          if (random.chance(0.1)) await new Promise(setImmediate);
        }
        // what was lost behind it, PgBouncer tells as an error of the statement
        if (random.chance(0.7)) {
          await new Promise((resolve) => setTimeout(resolve, random.next() * 20));
          report.count('backends ended', await server.killBackends(databaseOf(place)));
        }
        await calls.judge(`seed ${seed}, round ${round}, through PgBouncer`);
      }
      await calls.close();
      await shareDatabase(engine, { ...context, scale: scale / 4 });
      if (scale >= 0.1) await killProcesses(engine, { ...context, scale: scale / 10 });
    } finally {
      await bouncer.remove();
    }
  });
}
