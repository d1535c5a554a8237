/** Refuses to work on what is no file of this package. */
import type { DatabaseSync as Database } from 'node:sqlite';
import { checkSchema, hasAllTables } from '../../sqlite/schema.ts';
import { OperationError } from '../failure.ts';

export function requireStoreFile(database: Database, path: string): void {
  checkSchema(database);
  if (hasAllTables(database)) return;
  throw new OperationError(
    'schema-mismatch',
    path,
    'this is no file of this package: it does not have its tables; name another one',
  );
}
