/** Small slices of the rigs in torture/, which `npm run torture -- --only postgresql` runs as a whole. */
import { expect, it } from 'vitest';
import type { RigOnEngine } from '../../torture/engines.ts';
import { findingsOf, type Rig } from '../../torture/rig.ts';
import { postgresql } from '../support/postgresql.ts';

const SEED = 20_260_101;

/** A test that runs a slice of a rig, on the server of all tests. */
export function sliceOnPostgresql(name: string, runOn: RigOnEngine, scale: number): void {
  slice(name, (context) => runOn(postgresql, context), scale);
}

/** The same for one that has a server of its own. */
export function slice(name: string, rig: Rig, scale: number): void {
  it(name, { timeout: 120_000 }, async ({ annotate }) => {
    const findings = await findingsOf(rig, SEED, scale);
    for (const reason of findings.skipped) await annotate(reason, 'skipped');
    expect(findings.violations).toEqual([]);
  });
}
