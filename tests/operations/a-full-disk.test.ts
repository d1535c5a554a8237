/** A small slice of the rig torture/operations-on-a-full-disk.ts, which `npm run torture` runs as a whole. */
import { expect, test } from 'vitest';
import { run } from '../../torture/operations-on-a-full-disk.ts';
import { findingsOf } from '../../torture/rig.ts';

test('a full disk leaves the source as it is and no target, and says how much is needed', async ({ annotate }) => {
  const findings = await findingsOf(run, 20_260_105, 0.05);
  for (const reason of findings.skipped) await annotate(reason, 'skipped');
  expect(findings.violations).toEqual([]);
});
