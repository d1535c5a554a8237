/** A small slice of the rig torture/processes-on-one-file.ts, which `npm run torture` runs as a whole. */
import { expect, test } from 'vitest';
import { run } from '../../torture/processes-on-one-file.ts';
import { findingsOf } from '../../torture/rig.ts';

test('several processes on one file lose nothing, also if one is killed or holds a lock', async ({ annotate }) => {
  const findings = await findingsOf(run, 20_260_101, 0.03);
  for (const reason of findings.skipped) await annotate(reason, 'skipped');
  expect(findings.violations).toEqual([]);
});
