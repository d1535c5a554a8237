/** Small slices of the rigs torture/faulty-calls.ts and torture/failing-operations.ts, which `npm run torture` runs as a whole. */
import { expect, test } from 'vitest';
import { run as runOperations } from '../../torture/failing-operations.ts';
import { run as runCalls } from '../../torture/faulty-calls.ts';
import { findingsOf, type Rig } from '../../torture/rig.ts';

const rigs: Record<string, { rig: Rig; scale: number }> = {
  'system calls that fail have the right code, lose nothing, and are over when they are over': {
    rig: runCalls,
    scale: 0.005,
  },
  'an operation whose system calls fail, or that is killed, leaves its files as they were or as they are to be': {
    rig: runOperations,
    scale: 0.004,
  },
};

for (const [name, { rig, scale }] of Object.entries(rigs)) {
  test(name, { timeout: 600_000 }, async ({ annotate }) => {
    const findings = await findingsOf(rig, 20_260_101, scale);
    for (const reason of findings.skipped) await annotate(reason, 'skipped');
    expect(findings.violations).toEqual([]);
  });
}
