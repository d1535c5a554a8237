/** A small slice of the rig torture/hostile-files.ts, which `npm run torture` runs as a whole. */
import { expect, test } from 'vitest';
import { run } from '../../torture/hostile-files.ts';
import { findingsOf } from '../../torture/rig.ts';

test('files from strangers give an error or the right data, and are left alone', async ({ annotate }) => {
  const findings = await findingsOf(run, 20_260_101, 0.015);
  for (const reason of findings.skipped) await annotate(reason, 'skipped');
  expect(findings.violations).toEqual([]);
});
