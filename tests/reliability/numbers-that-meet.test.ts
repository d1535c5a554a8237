/** A small slice of the rig torture/meeting-numbers.ts, which `npm run torture` runs as a whole. */
import { expect, test } from 'vitest';
import { run } from '../../torture/meeting-numbers.ts';
import { findingsOf } from '../../torture/rig.ts';

test("numbers that meet are kept by 'keep', and counted and told by 'ignore'", async ({ annotate }) => {
  const findings = await findingsOf(run, 20_260_101, 1);
  for (const reason of findings.skipped) await annotate(reason, 'skipped');
  expect(findings.violations).toEqual([]);
});
