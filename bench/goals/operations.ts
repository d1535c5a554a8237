/** What operations on whole files are to reach, alone and beside traffic. */
import type { Goal } from './goal.ts';

const works = ['backup', 'verify', 'compact'];

export const operationsGoals: Goal[] = [
  {
    id: 'operations-backup',
    scenario: 'operations',
    work: 'backup of 2 GB',
    goal: '1.2 × `cp` and `sync` of the same file',
    reached: (of) => of('provider', 'backupMs') / of('provider', 'cpSyncMs'),
    sense: 'at most',
    target: 1.2,
    format: 'times',
  },
  {
    id: 'operations-backup-cp',
    scenario: 'operations',
    work: 'backup of 2 GB, which is on the disk',
    goal: "1.2 × `cp` of the same file, which is in the system's memory",
    reached: (of) => of('provider', 'backupMs') / of('provider', 'cpMs'),
    sense: 'at most',
    target: 1.2,
    format: 'times',
  },
  {
    id: 'operations-verify',
    scenario: 'operations',
    work: 'verification of 1 million values',
    goal: "the slower of one core's SHA-256 and SQLite's own check",
    reached: (of) => of('provider', 'verifyMs') / Math.max(of('provider', 'sha256Ms'), of('provider', 'integrityMs')),
    sense: 'at most',
    target: 1,
    format: 'times',
  },
  {
    id: 'operations-silent',
    scenario: 'operations',
    work: 'the same: longest time without a word of progress',
    goal: 'one second',
    reached: (of) => of('provider', 'silentMs'),
    sense: 'at most',
    target: 1000,
    format: 'ms',
  },
  ...works.flatMap((name): Goal[] => [
    {
      id: `operations-${name}-delay`,
      scenario: 'operations',
      work: `${name} beside 10,000 patches/s into another file: event-loop delay, p99.9`,
      goal: 'within 1 ms of the same without',
      reached: (of) => of('provider', `${name}P999Ms`) - of('provider', 'aloneP999Ms'),
      sense: 'at most',
      target: 1,
      format: 'ms',
    },
    {
      id: `operations-${name}-rate`,
      scenario: 'operations',
      work: `${name} beside as many patches as another file takes: committed a second`,
      goal: '70% of the rate without',
      reached: (of) => of('provider', `${name}PerSecond`) / of('provider', 'alonePerSecond'),
      sense: 'at least',
      target: 0.7,
      format: 'times',
    },
  ]),
];
