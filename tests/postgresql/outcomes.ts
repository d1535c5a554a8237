/** What becomes of every kind of call, and the SQL that makes the tables. */
import { postgresqlSchema, type SDS_DesktopPersistenceProvider, SDS_PersistenceError } from 'sds-persistence-worker';
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

/** Makes the tables as an operator does: by the SQL that the package exports. */
export async function sqlOfTables(url: string): Promise<void> {
  await server.query(`SET ROLE "${USER}";\n${postgresqlSchema}`, undefined, databaseOf(url));
}
