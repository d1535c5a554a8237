/** A file that another program is writing to. */
import { DatabaseSync } from 'node:sqlite';
import { onTestFinished } from 'vitest';

/** Holds the write lock of a file, as another program in the middle of a transaction would, until what it returns is called. */
export function lock(file: string): () => void {
  const other = new DatabaseSync(file);
  onTestFinished(() => other.close());
  other.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
  return () => other.exec('ROLLBACK');
}
