/** A small slice of the rig torture/backups.ts, which `npm run torture` runs as a whole. */
import { expect, test } from 'vitest';
import { run } from '../../torture/backups.ts';
import { findingsOf } from '../../torture/rig.ts';

test('a backup holds a prefix of the calls of each store; of a killed one there is nothing, or the whole', {
  timeout: 600_000,
}, async () => {
  const findings = await findingsOf(run, 20_260_104, 0.015);
  expect(findings.violations).toEqual([]);
});
