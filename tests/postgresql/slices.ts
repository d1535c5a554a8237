/** Small slices of the rigs in torture/, which `npm run torture -- --only postgresql` runs as a whole. */
import { expect, it, type TestContext } from 'vitest';
import type { RigOnEngine } from '../../torture/engines.ts';
import { findingsOf, type Rig } from '../../torture/rig.ts';
import { itOnOwnServer, postgresql } from '../support/postgresql.ts';

const SEED = 20_260_101;

/** A test that runs a slice of a rig, on the server of all tests. */
export function sliceOnPostgresql(name: string, runOn: RigOnEngine, scale: number): void {
  it(
    name,
    bodyOf((context) => runOn(postgresql, context), scale),
  );
}

/** The same for one that has a server of its own. */
export function slice(name: string, rig: Rig, scale: number): void {
  itOnOwnServer(name, bodyOf(rig, scale));
}

function bodyOf(rig: Rig, scale: number): (context: TestContext) => Promise<void> {
  return async ({ annotate }) => {
    const findings = await findingsOf(rig, SEED, scale);
    for (const reason of findings.skipped) await annotate(reason, 'skipped');
    expect(findings.violations).toEqual([]);
  };
}
