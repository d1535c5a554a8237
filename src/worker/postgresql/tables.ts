/** Sees to it that the tables are there and of the shape that is expected; several processes may do so at once. */
import { SCHEMA_VERSION, schemaStatements } from '../../protocol/postgresql/schema.ts';
import { Promise, setTimeout } from '../../protocol/surroundings.ts';
import { EngineError } from '../engine.ts';
import type { Connection } from './connection.ts';
import { ServerError } from './sqlstates.ts';

const MOST_ATTEMPTS = 20;
const PAUSE_MS = 50;

const MISSING_TABLE = '42P01';

/**
 * `CREATE … IF NOT EXISTS` by several at once fails for some of them: by a row of the catalogue that is there twice,
 * or a name (of a table, or of its row type) that has come to be meanwhile. Then the tables are there, or will be.
 */
const meanwhile = new Set(['23505', '42P07', '42P06', '42710', '40001', '40P01', 'XX000']);

export async function prepareTables(connection: Connection, mayCreate: boolean): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const version = await versionOf(connection);
    if (version === SCHEMA_VERSION) break;
    if (version !== undefined) {
      const message = `its tables are of version ${version}, this is a program for version ${SCHEMA_VERSION}`;
      throw new EngineError('schema-mismatch', { message });
    }
    if (!mayCreate) {
      const message =
        "its tables are missing, and CreateTables is false: make them by what 'npx sds-persistence-worker schema' prints";
      throw new EngineError('open-failed', { message, code: MISSING_TABLE });
    }
    try {
      for (const text of schemaStatements) await connection.run({ text });
    } catch (error) {
      if (attempt >= MOST_ATTEMPTS || !(error instanceof ServerError) || !meanwhile.has(error.sqlState ?? ''))
        throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * (0.5 + Math.random())));
    }
  }
  await checkShape(connection);
}

async function versionOf(connection: Connection): Promise<number | undefined> {
  try {
    const { rows } = await connection.one('SELECT version FROM sds_schema WHERE id = 1');
    return rows[0] === undefined ? undefined : Number(rows[0][0]);
  } catch (error) {
    if (error instanceof ServerError && error.sqlState === MISSING_TABLE) return undefined;
    throw error;
  }
}

const columns: Readonly<Record<string, string>> = {
  sds_patches: 'store_id, clock, data',
  sds_snapshots: 'store_id, clock, version, size, data',
  sds_snapshot_chunks: 'store_id, version, chunk, data',
  sds_values: 'hash, ref_count, version, size, data',
  sds_value_chunks: 'hash, version, chunk, data',
  sds_holders: 'session, generation, expires, fenced, batch, part, incarnation',
  sds_leases: 'store_id, epoch, shared',
  sds_claims: 'store_id, session, generation',
  sds_long_names: 'short, name',
  sds_copies: 'source, kind, name, ref_count, print',
};

/** All columns that are used, in one round trip; a table that has others besides is fine. */
async function checkShape(connection: Connection): Promise<void> {
  await connection.run(
    ...Object.entries(columns).map(([table, names]) => ({ text: `SELECT ${names} FROM ${table} LIMIT 0` })),
  );
}
