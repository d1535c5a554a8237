/** A small slice of the rig torture/small-disk.ts, which `npm run torture` runs as a whole. */
import { expect, test } from 'vitest';
import { findingsOf } from '../../torture/rig.ts';
import { run } from '../../torture/small-disk.ts';

test('trouble with the disk has a code, loses nothing, and is over when it is over', async ({ annotate }) => {
  const findings = await findingsOf(run, 20_260_101, 0.03);
  for (const reason of findings.skipped) await annotate(reason, 'skipped');
  expect(findings.violations).toEqual([]);
});
