/** A small slice of the rig torture/sync-engine.ts, which `npm run torture` runs as a whole. */
import { expect, test } from 'vitest';
import { findingsOf } from '../../torture/rig.ts';
import { run } from '../../torture/sync-engine.ts';

test('a sync engine that is ended in any way has nothing lost that the reference keeps', async ({ annotate }) => {
  const findings = await findingsOf(run, 20_260_101, 0.006);
  for (const reason of findings.skipped) await annotate(reason, 'skipped');
  expect(findings.violations).toEqual([]);
});
