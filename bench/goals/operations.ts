/** What operations on whole files are to reach, alone and beside traffic. */
import { RATES } from '../work/paced.ts';
import type { Goal, Of } from './goal.ts';

const works = {
  backup: { load: 'the mixed load on it', patches: 'as many patches as it takes' },
  verify: { load: 'the mixed load on it', patches: 'as many patches as it takes' },
  // a file that is open can't be compacted
  compact: { load: 'the mixed load on another file', patches: 'as many patches as another file takes' },
};

const percent = (target: number) => `${Math.round((target - 1) * 100)}%`;
/** Of a second of each rate. */
const pacedCost = (of: Of, name: string) => RATES.reduce((sum, rate) => sum + rate * of(name, `mainUs at ${rate}`), 0);

export const operationsGoals: Goal[] = [
  {
    id: 'operations-backup',
    scenario: 'operations',
    work: 'backup of 2 GB',
    goal: "1.1 × SQLite's own backup of the same file",
    reached: (of) => of('provider', 'backupMs') / of('provider', 'sqliteBackupMs'),
    sense: 'at most',
    target: 1.1,
    format: 'times',
  },
  {
    id: 'operations-verify',
    scenario: 'operations',
    work: 'verification of 1 million values',
    goal: "1.1 × SQLite's own check and one core's SHA-256, one after the other",
    reached: (of) => of('provider', 'verifyMs') / (of('provider', 'integrityMs') + of('provider', 'sha256Ms')),
    sense: 'at most',
    target: 1.1,
    format: 'times',
  },
  ...Object.entries(works).flatMap(([name, { load, patches }]): Goal[] => [
    {
      id: `operations-${name}-delay`,
      scenario: 'operations-beside',
      work: `${name} of 2 GB beside ${load}: event-loop delay, p99.9`,
      goal: 'within 1 ms of the same load without',
      reached: (of) => of(name, 'p999Ms') - of('alone', 'p999Ms'),
      sense: 'at most',
      target: 1,
      format: 'ms',
    },
    {
      id: `operations-${name}-rate`,
      scenario: 'operations-beside',
      work: `${name} of 2 GB beside ${patches}: committed a second`,
      goal: '70% of the rate without',
      reached: (of) => of(name, 'perSecond') / of('alone', 'perSecond'),
      sense: 'at least',
      target: 0.7,
      format: 'times',
    },
  ]),
  ...[
    { name: 'provider-statistics', what: 'with statistics', target: 1.03 },
    { name: 'provider-subscribed', what: 'with a subscriber on every channel', target: 1.15 },
  ].flatMap(({ name, what, target }): Goal[] => [
    {
      id: `observed-burst-${name}`,
      scenario: 'observed-burst',
      work: `burst ${what}: main-thread time a patch`,
      goal: `within ${percent(target)} of a build that counts and tells nothing`,
      reached: (of) => of(name, 'mainUs') / of('provider-uncounted', 'mainUs'),
      sense: 'at most',
      target,
      format: 'times',
    },
    {
      id: `observed-rate-${name}`,
      scenario: 'observed-burst',
      work: `burst ${what}: time until all is committed`,
      goal: `within ${percent(target)} of that build`,
      reached: (of) => of('provider-uncounted', 'perSecond') / of(name, 'perSecond'),
      sense: 'at most',
      target,
      format: 'times',
    },
    {
      id: `observed-paced-${name}`,
      scenario: 'observed-paced',
      work: `patches as they come ${what}, all rates: main-thread time`,
      goal: `within ${percent(target)} of that build`,
      reached: (of) => pacedCost(of, name) / pacedCost(of, 'provider-uncounted'),
      sense: 'at most',
      target,
      format: 'times',
    },
  ]),
];
