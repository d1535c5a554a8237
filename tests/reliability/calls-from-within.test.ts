/** A small slice of the rig torture/calls-from-within.ts, which `npm run torture` runs as a whole. */
import { expect, test } from 'vitest';
import { run } from '../../torture/calls-from-within.ts';
import { findingsOf } from '../../torture/rig.ts';

test('foreign code that makes calls wherever it runs: each takes its place in the order, and nothing hangs', async () => {
  const findings = await findingsOf(run, 20_260_105, 0.02);
  expect(findings.violations).toEqual([]);
});
