/** A small slice of the rig torture/model-commands.ts, which `npm run torture` runs as a whole. */
import { expect, test } from 'vitest';
import { run } from '../../torture/model-commands.ts';
import { findingsOf } from '../../torture/rig.ts';

test('random calls get the same answers and leave the same rows as the reference', async ({ annotate }) => {
  const findings = await findingsOf(run, 20_260_101, 0.01);
  for (const reason of findings.skipped) await annotate(reason, 'skipped');
  expect(findings.violations).toEqual([]);
});
