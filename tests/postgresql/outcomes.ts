/** What becomes of every kind of call, and the SQL that makes the tables. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type SDS_DesktopPersistenceProvider, SDS_PersistenceError } from 'sds-persistence-worker';
import { patchOf } from '../support/files.ts';
import { server } from '../support/postgresql.ts';
import { USER } from '../support/postgresql-address.ts';
import { databaseOf } from '../support/postgresql-engine.ts';

/** Calls everything at once; returns the different outcomes: codes, or 'carried out'. */
export async function codesOf(provider: SDS_DesktopPersistenceProvider): Promise<string[]> {
  const outcomes = await Promise.allSettled([
    provider.ready(),
    provider.appendPatch(patchOf('a'), 900),
    provider.saveSnapshot(patchOf('b'), 900),
    provider.saveValue('outcome', new Uint8Array(300_000)),
    provider.releaseValue('outcome'),
    provider.prunePatches(0),
    provider.loadSnapshot(),
    provider.loadPatchesSince(0),
    provider.loadValue('outcome'),
  ]);
  return [...new Set(outcomes.map(codeOf))].sort();
}

export function codeOf(outcome: PromiseSettledResult<unknown>): string {
  if (outcome.status === 'fulfilled') return 'carried out';
  const { reason } = outcome;
  return reason instanceof SDS_PersistenceError ? reason.code : `no code: ${String(reason)}`;
}

/** Makes the tables as an operator does: by the SQL that the command line prints. */
export async function sqlOfTables(url: string): Promise<void> {
  const bin = join(import.meta.dirname, '../../dist/bin.js');
  const sql = execFileSync(process.execPath, [bin, 'schema'], { encoding: 'utf8' });
  await server.query(`SET ROLE "${USER}";\n${sql}`, undefined, databaseOf(url));
}
