/** A small slice of the rig torture/soak.ts, which `npm run torture` runs as a whole. */
import { expect, test } from 'vitest';
import { findingsOf } from '../../torture/rig.ts';
import { run } from '../../torture/soak.ts';

test('a mixed load keeps memory, log and threads flat', async ({ annotate }) => {
  const findings = await findingsOf(run, 20_260_101, 0.005);
  for (const reason of findings.skipped) await annotate(reason, 'skipped');
  expect(findings.violations).toEqual([]);
});
