/** A small slice of the rig torture/traced-durability.ts, which `npm run torture` runs as a whole. */
import { expect, test } from 'vitest';
import { findingsOf } from '../../torture/rig.ts';
import { run } from '../../torture/traced-durability.ts';

test("'full' durability waits for the disk before it acknowledges", async ({ annotate }) => {
  const findings = await findingsOf(run, 20_260_101, 0.03);
  for (const reason of findings.skipped) await annotate(reason, 'skipped');
  expect(findings.violations).toEqual([]);
});
