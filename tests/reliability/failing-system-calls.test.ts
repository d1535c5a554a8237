/** A small slice of the rig torture/faulty-calls.ts, which `npm run torture` runs as a whole. */
import { expect, test } from 'vitest';
import { run } from '../../torture/faulty-calls.ts';
import { findingsOf } from '../../torture/rig.ts';

test('system calls that fail have the right code, lose nothing, and are over when they are over', async ({
  annotate,
}) => {
  const findings = await findingsOf(run, 20_260_101, 0.01);
  for (const reason of findings.skipped) await annotate(reason, 'skipped');
  expect(findings.violations).toEqual([]);
});
