/** A small slice of the rig torture/lost-workers.ts, which `npm run torture` runs as a whole. */
import { expect, test } from 'vitest';
import { run } from '../../torture/lost-workers.ts';
import { findingsOf } from '../../torture/rig.ts';

test('a worker that is terminated costs nothing but what was handed over to it', async ({ annotate }) => {
  const findings = await findingsOf(run, 20_260_101, 0.02);
  for (const reason of findings.skipped) await annotate(reason, 'skipped');
  expect(findings.violations).toEqual([]);
});
