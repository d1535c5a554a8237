/** Small slices of the rigs torture/two-troubles.ts and processes-in-trouble.ts, which `npm run torture` runs as a whole. */
import { expect, test } from 'vitest';
import { run as runProcesses } from '../../torture/processes-in-trouble.ts';
import { findingsOf } from '../../torture/rig.ts';
import { run } from '../../torture/two-troubles.ts';

test('a program in trouble of two kinds at once loses nothing that was acknowledged, and ends', async ({
  annotate,
}) => {
  const findings = await findingsOf(run, 20_260_101, 0.024);
  for (const reason of findings.skipped) await annotate(reason, 'skipped');
  expect(findings.violations).toEqual([]);
});

test('nor do several programs that share their files', async ({ annotate }) => {
  const findings = await findingsOf(runProcesses, 20_260_101, 0.016);
  for (const reason of findings.skipped) await annotate(reason, 'skipped');
  expect(findings.violations).toEqual([]);
});
