/** A small slice of the rig torture/two-troubles.ts, which `npm run torture` runs as a whole. */
import { expect, test } from 'vitest';
import { findingsOf } from '../../torture/rig.ts';
import { run } from '../../torture/two-troubles.ts';

test('a program in trouble of two kinds at once loses nothing that was acknowledged, and ends', async ({
  annotate,
}) => {
  const findings = await findingsOf(run, 20_260_101, 0.024);
  for (const reason of findings.skipped) await annotate(reason, 'skipped');
  expect(findings.violations).toEqual([]);
});
