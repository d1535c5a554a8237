/** A small slice of the rig torture/bad-input.ts, which `npm run torture` runs as a whole. */
import { expect, test } from 'vitest';
import { run } from '../../torture/bad-input.ts';
import { findingsOf } from '../../torture/rig.ts';

test('bad input rejects with invalid-argument, and nothing is stored', async ({ annotate }) => {
  const findings = await findingsOf(run, 20_260_101, 1);
  for (const reason of findings.skipped) await annotate(reason, 'skipped');
  expect(findings.violations).toEqual([]);
});
