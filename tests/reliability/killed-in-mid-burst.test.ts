/** A small slice of the rig torture/killed-in-mid-burst.ts, which `npm run torture` runs as a whole. */
import { expect, test } from 'vitest';
import { run } from '../../torture/killed-in-mid-burst.ts';
import { findingsOf } from '../../torture/rig.ts';

test('kill -9 in mid-burst what was acknowledged is there, without a hole', async ({ annotate }) => {
  const findings = await findingsOf(run, 20_260_101, 0.02);
  for (const reason of findings.skipped) await annotate(reason, 'skipped');
  expect(findings.violations).toEqual([]);
});
