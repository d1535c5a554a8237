/** What the provider is to reach on PostgreSQL, beside one connection that does nothing else, and beside SQLite. */
import { RATES_OF_MANY } from '../work/paced-many.ts';
import type { Goal } from './goal.ts';
import { LEAST_NOTICEABLE_US } from './traffic.ts';

const burst = 'PostgreSQL: burst, patches of 200 bytes';
const ours = 'postgresql';

export const postgresqlGoals: Goal[] = [
  ...[
    { other: 'postgresql-packed', goal: '90% of one connection fed with the packed statement alone', target: 0.9 },
    { other: 'postgresql-insert', goal: '20 times one INSERT a call', target: 20 },
  ].map(
    ({ other, goal, target }): Goal => ({
      id: `${ours}-rate-${other}`,
      scenario: 'postgresql-burst',
      work: `${burst}: committed a second`,
      goal,
      reached: (of) => of(ours, 'perSecond') / of(other, 'perSecond'),
      sense: 'at least',
      target,
      format: 'times',
    }),
  ),
  {
    id: `${ours}-burst-main`,
    scenario: 'postgresql-burst',
    work: `${burst}: main-thread time a patch`,
    goal: '1.2 × that on SQLite',
    reached: (of) => of(ours, 'mainUs') / of('provider', 'mainUs'),
    sense: 'at most',
    target: 1.2,
    format: 'times',
  },
  ...RATES_OF_MANY.map(
    (rate): Goal => ({
      id: `${ours}-paced-${rate}`,
      scenario: 'postgresql-paced',
      work: `PostgreSQL: 1,000 stores, ${rate.toLocaleString('en-US')} patches a second as they come: main-thread time a patch`,
      goal: 'as on SQLite (within 1.2 ×)',
      reached: (of) =>
        Math.max(of(ours, `mainUs at ${rate}`), LEAST_NOTICEABLE_US) /
        Math.max(of('provider', `mainUs at ${rate}`), LEAST_NOTICEABLE_US),
      sense: 'at most',
      target: 1.2,
      format: 'times',
    }),
  ),
  {
    id: `${ours}-connections`,
    scenario: 'postgresql-paced',
    work: 'PostgreSQL: 1,000 stores, patches as they come: connections, as the server counts them',
    goal: '8',
    reached: (of) => of(ours, 'connections'),
    sense: 'at most',
    target: 8,
    format: 'count',
  },
  {
    id: `${ours}-open`,
    scenario: 'postgresql-open',
    work: 'PostgreSQL: 1,000 stores opened together',
    goal: '0.3 s',
    reached: (of) => of(ours, 'openMs'),
    sense: 'at most',
    target: 300,
    format: 'ms',
  },
  {
    id: `${ours}-save`,
    scenario: 'postgresql-snapshot',
    work: 'PostgreSQL: snapshot of 64 MB saved, now and then: whole time',
    goal: '1.2 × COPY alone',
    reached: (of) => of(`${ours}-take`, 'wholeMs') / of('postgresql-copy', 'wholeMs'),
    sense: 'at most',
    target: 1.2,
    format: 'times',
  },
  {
    id: `${ours}-load`,
    scenario: 'postgresql-load',
    work: 'PostgreSQL: snapshot of 64 MB loaded: whole time',
    goal: '1.2 × COPY alone',
    reached: (of) => of(ours, 'snapshotWholeMs') / of('postgresql-copy', 'snapshotWholeMs'),
    sense: 'at most',
    target: 1.2,
    format: 'times',
  },
  ...[
    { other: 'provider', name: ours, what: 'kept by the caller' },
    { other: 'provider-take', name: `${ours}-take`, what: 'handed over (`TransferSnapshots`)' },
  ].map(
    ({ other, name, what }): Goal => ({
      id: `${name}-blocked`,
      scenario: 'postgresql-snapshot',
      work: `PostgreSQL: snapshot of 64 MB ${what}: time the call blocks`,
      goal: 'as on SQLite (within 1.2 ×)',
      reached: (of) => of(name, 'blockedMs') / of(other, 'blockedMs'),
      sense: 'at most',
      target: 1.2,
      format: 'times',
    }),
  ),
  {
    id: `${ours}-load-main`,
    scenario: 'postgresql-load',
    work: 'PostgreSQL: snapshot of 64 MB loaded: main-thread time',
    goal: 'as on SQLite (within 1.2 ×)',
    reached: (of) => of(ours, 'snapshotMainMs') / of('provider', 'snapshotMainMs'),
    sense: 'at most',
    target: 1.2,
    format: 'times',
  },
  {
    id: `${ours}-lost`,
    scenario: 'postgresql-failover',
    work: 'PostgreSQL: synchronous standby, primary killed, standby promoted: acknowledged and lost',
    goal: '0',
    reached: (of) => of(ours, 'lost'),
    sense: 'at most',
    target: 0,
    format: 'count',
  },
  {
    id: `${ours}-service`,
    scenario: 'postgresql-failover',
    work: 'PostgreSQL: synchronous standby promoted: from the promotion to the next commit',
    goal: 'one second',
    reached: (of) => of(ours, 'promotionToCommitMs'),
    sense: 'at most',
    target: 1000,
    format: 'ms',
  },
];
