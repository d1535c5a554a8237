/** The benchmark of documents runs, and says what it measured. What the numbers are is no matter of a test. */
import { beforeAll, describe, expect, test } from 'vitest';
import { documentScenarios } from '../../bench/document-scenarios.ts';
import { documentGoals } from '../../bench/goals/documents.ts';
import type { Results } from '../../bench/results.ts';
import { run, whyNoPeers } from './quick-run.ts';

/** The others do the same with other sizes. */
const measured = [
  'documents-20-at-1000',
  'documents-opening',
  'documents-server-2-of-6',
  'documents-killed',
  'documents-automerge',
];

describe('the benchmark of documents', { timeout: 600_000 }, () => {
  const why = whyNoPeers();
  const chosen = documentScenarios.filter(({ name }) => measured.includes(name));
  let results: Results;
  beforeAll(() => {
    if (why === undefined) ({ results } = run(...measured.flatMap((name) => ['--only', name])));
  }, 600_000);

  for (const { name, cases } of chosen) {
    test(`measures ${name}`, ({ skip }) => {
      if (why !== undefined) skip(`the peers that the benchmark compares with can't be installed: ${why}`);
      const scenario = results.scenarios.find((one) => one.name === name);
      const { medians = {}, leftOut = {} } = scenario ?? {};
      expect(Object.keys({ ...medians, ...leftOut })).toEqual(expect.arrayContaining(cases.map((one) => one.name)));
      // others may be missing where they can't be built
      expect(Object.keys(medians)).toContain(cases[0]?.name);
      for (const metrics of Object.values(medians)) {
        // a difference of two measurements may be negative
        for (const value of Object.values(metrics)) expect(value).toEqual(expect.any(Number));
      }
      if (Object.keys(leftOut).length > 0) return;
      const ofIt = documentGoals.filter((goal) => goal.scenario === name).map(({ id }) => id);
      expect(results.goals.map(({ id }) => id).filter((id) => ofIt.includes(id))).toEqual(ofIt);
    });
  }
});
