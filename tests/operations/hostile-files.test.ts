/** A small slice of the rig torture/operations-on-hostile-files.ts, which `npm run torture` runs as a whole. */
import { expect, test } from 'vitest';
import { run } from '../../torture/operations-on-hostile-files.ts';
import { findingsOf } from '../../torture/rig.ts';

// of hundreds of operations, each in its turn
test('what strangers made is a result, a finding or an error, and stays as it is', { timeout: 600_000 }, async ({
  annotate,
}) => {
  const findings = await findingsOf(run, 20_260_105, 0.02);
  for (const reason of findings.skipped) await annotate(reason, 'skipped');
  expect(findings.violations).toEqual([]);
});
