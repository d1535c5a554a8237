/** A small slice of the rig torture/backpressure.ts, which `npm run torture` runs as a whole. */
import { expect, test } from 'vitest';
import { run } from '../../torture/backpressure.ts';
import { findingsOf } from '../../torture/rig.ts';

test('a caller that never awaits is held or refused, and memory stays bounded', async ({ annotate }) => {
  const findings = await findingsOf(run, 20_260_101, 0.125);
  for (const reason of findings.skipped) await annotate(reason, 'skipped');
  expect(findings.violations).toEqual([]);
});
