/** Small slices of the rigs torture/documents-killed.ts, documents-compacting.ts and documents-in-trouble.ts, and of those on PostgreSQL, which `npm run torture` runs as a whole. */
import { describe, expect, it } from 'vitest';
import { runOn as compactOn, run as compactOnFiles } from '../../torture/documents-compacting.ts';
import { run as runInTrouble } from '../../torture/documents-in-trouble.ts';
import { runOn as killOn, run as killOnFiles } from '../../torture/documents-killed.ts';
import { run as runInTroubleOnPostgresql } from '../../torture/postgresql-documents-in-trouble.ts';
import { findingsOf, type Rig } from '../../torture/rig.ts';
import { slice as sliceOnOwnServer, sliceOnPostgresql } from '../postgresql/slices.ts';
import { describeOnPostgresql } from '../support/postgresql.ts';

const killed =
  'programs that are killed while they append and merge leave a state at or after the last acknowledged one';
const compacted =
  'two processes that merge one document and delete others lose nothing, and nothing deleted comes back';

const inTrouble = 'programs in trouble of two kinds at once lose nothing untold, and nothing deleted comes back';

function slice(name: string, rig: Rig, scale: number): void {
  it(name, async ({ annotate }) => {
    const findings = await findingsOf(rig, 20_260_101, scale);
    for (const reason of findings.skipped) await annotate(reason, 'skipped');
    expect(findings.violations).toEqual([]);
  });
}

describe('SQLite', () => {
  slice(killed, killOnFiles, 0.015);
  slice(compacted, compactOnFiles, 0.02);
  slice(inTrouble, runInTrouble, 0.024);
});

describeOnPostgresql('PostgreSQL', () => {
  sliceOnPostgresql(killed, killOn, 0.015);
  sliceOnPostgresql(compacted, compactOn, 0.02);
  sliceOnOwnServer(inTrouble, runInTroubleOnPostgresql, 0.008);
});
