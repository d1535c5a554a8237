/** A small slice of the rig torture/one-victim.ts, which `npm run torture` runs as a whole. */
import { expect, test } from 'vitest';
import { run } from '../../torture/one-victim.ts';
import { findingsOf } from '../../torture/rig.ts';

test('system calls that fail for one file, and threads that can not be started, cost no other file anything', async ({
  annotate,
}) => {
  const findings = await findingsOf(run, 20_260_101, 0.01);
  for (const reason of findings.skipped) await annotate(reason, 'skipped');
  expect(findings.violations).toEqual([]);
});
