/** SQLite's own check of a file, in its lines; one native call, which says nothing of how far it is. */
import type { DatabaseSync as Database } from 'node:sqlite';
import { ownTables } from '../../sqlite/schema.ts';
import { needsItsProgram } from '../failure.ts';

/** What is not in order, in up to so many lines; of our tables alone, where those of another program need what only that has. */
export function faultsIn(database: Database, check: 'integrity_check' | 'quick_check', most: number): string[] {
  const faults = (what: string | number) => {
    const lines = database.prepare(`PRAGMA ${check}(${what})`).all();
    return lines.map((row) => String(Object.values(row)[0])).filter((line) => line !== 'ok');
  };
  try {
    return faults(most);
  } catch (error) {
    if (!needsItsProgram((error as Error).message)) throw error;
    return ownTables(database).flatMap(faults);
  }
}
