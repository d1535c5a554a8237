/** Sees to it that the tables are there and of the shape that is expected; several processes may do so at once. */
import { SCHEMA_VERSION, schemaStatements, shapeStatements } from '../../protocol/postgresql/schema.ts';
import { pause } from '../../protocol/surroundings.ts';
import { EngineError } from '../engine.ts';
import type { Result, Statement } from './connection.ts';
import { ServerError } from './sqlstates.ts';

const MOST_ATTEMPTS = 20;
const PAUSE_MS = 50;

const MISSING_TABLE = '42P01';

/** `CREATE … IF NOT EXISTS` by several at once fails so for some of them. Then the tables are there, or will be. */
const meanwhile = new Set(['23505', '42P07', '42P06', '42710', '40001', '40P01', 'XX000']);

type Run = (...statements: Statement[]) => Promise<Result[]>;

/** @param run - carries out statements together, in a transaction of their own */
export async function prepareTables(run: Run, mayCreate: boolean): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const version = await versionOf(run);
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
    if (attempt > MOST_ATTEMPTS) {
      const message = 'their version can not be stored in sds_schema: does a trigger or a rule keep rows out of it?';
      throw new EngineError('schema-mismatch', { message });
    }
    try {
      for (const text of schemaStatements) await run({ text });
    } catch (error) {
      if (attempt >= MOST_ATTEMPTS || !(error instanceof ServerError) || !meanwhile.has(error.reported.code ?? ''))
        throw error;
      await pause(PAUSE_MS * (0.5 + Math.random()));
    }
  }
  await run(...shapeStatements().map((text) => ({ text })));
}

async function versionOf(run: Run): Promise<number | undefined> {
  try {
    const [found] = await run({ text: 'SELECT version FROM sds_schema WHERE id = 1' });
    const row = found?.rows[0];
    return row === undefined ? undefined : Number(row[0]);
  } catch (error) {
    if (error instanceof ServerError && error.reported.code === MISSING_TABLE) return undefined;
    throw error;
  }
}
