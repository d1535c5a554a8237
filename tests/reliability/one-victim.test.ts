/** A small slice of the rig torture/one-victim.ts, which `npm run torture` runs as a whole. */
import { expect, test } from 'vitest';
import { run } from '../../torture/one-victim.ts';
import { findingsOf } from '../../torture/rig.ts';

/** Some hundred times files are made and closed: a slow disk is no failure. */
const PATIENCE_MS = 180_000;

test('system calls that fail for one file, and threads that can not be started, cost no other file anything', {
  timeout: PATIENCE_MS,
}, async ({ annotate }) => {
  const findings = await findingsOf(run, 20_260_101, 0.01);
  for (const reason of findings.skipped) await annotate(reason, 'skipped');
  expect(findings.violations).toEqual([]);
});
