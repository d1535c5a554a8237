/** Database files in the states in which operators find them. */
import { createHash } from 'node:crypto';
import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { runProgram } from './programs.ts';

export const tables = `
  CREATE TABLE snapshots (store_id TEXT PRIMARY KEY, data BLOB NOT NULL, clock INTEGER NOT NULL);
  CREATE TABLE patches (store_id TEXT NOT NULL, clock INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (store_id, clock));
  CREATE TABLE blobs (hash TEXT PRIMARY KEY, data BLOB NOT NULL, ref_count INTEGER NOT NULL DEFAULT 0);
`;

export const recordsTable =
  'CREATE TABLE sds_records (store_id TEXT NOT NULL, key TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (store_id, key));';

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export interface Contents {
  patches?: number;
  patchBytes?: number;
  values?: number;
  /** More SQL, after the rest. */
  sql?: string;
}

/** A file that was closed properly: stores `notes` (with a snapshot at 10) and `tasks`, and some values. */
export function makeStoreFile(
  dbPath: string,
  { patches = 30, patchBytes = 100, values = 3, sql = '' }: Contents = {},
): string {
  const database = new DatabaseSync(dbPath);
  database.exec(`PRAGMA journal_mode = WAL; ${tables} BEGIN`);
  database.prepare("INSERT INTO snapshots VALUES ('notes', ?, 10)").run(new Uint8Array(5000).fill(7));
  const patch = database.prepare('INSERT INTO patches VALUES (?, ?, ?)');
  for (let clock = 1; clock <= patches; clock++) {
    patch.run('tasks', clock, new Uint8Array(patchBytes).fill(clock));
    patch.run('notes', 10 + clock, new Uint8Array(patchBytes).fill(clock));
  }
  const value = database.prepare('INSERT INTO blobs VALUES (?, ?, 1)');
  for (let i = 0; i < values; i++) {
    const bytes = new TextEncoder().encode(`value ${i}`);
    value.run(sha256(bytes), bytes);
  }
  database.exec(`COMMIT; ${sql}`);
  database.close();
  return dbPath;
}

/** A file whose process was killed: the log and its index are still there, with commits that are in the log alone. */
export async function makeKilledFile(dbPath: string, contents: Contents = {}): Promise<string> {
  makeStoreFile(dbPath, contents);
  const { signal } = await runProgram(
    `const { DatabaseSync } = await import('node:sqlite');
const database = new DatabaseSync(file);
database.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
database.prepare("INSERT INTO patches VALUES ('tasks', 1000, ?)").run(new Uint8Array(9000));
process.kill(process.pid, 'SIGKILL');`,
    dbPath,
    { flags: ['--disable-warning=ExperimentalWarning'] },
  );
  if (signal !== 'SIGKILL') throw new Error(`the process ended by ${signal}`);
  return dbPath;
}

/** A file with a rollback journal whose process was killed within a transaction: the file itself is half-written. */
export async function makeHalfWrittenFile(dbPath: string): Promise<string> {
  makeStoreFile(dbPath, { sql: 'PRAGMA journal_mode = DELETE' });
  const { signal } = await runProgram(
    `const { DatabaseSync } = await import('node:sqlite');
const database = new DatabaseSync(file);
database.exec("PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN IMMEDIATE");
database.exec("UPDATE patches SET data = zeroblob(2000)");
process.kill(process.pid, 'SIGKILL');`,
    dbPath,
    { flags: ['--disable-warning=ExperimentalWarning'] },
  );
  if (signal !== 'SIGKILL') throw new Error(`the process ended by ${signal}`);
  return dbPath;
}

/** The log without its index, as `cp` of two of three files leaves it. */
export async function makeLogWithoutIndex(dbPath: string): Promise<string> {
  const killed = await makeKilledFile(`${dbPath}.original`);
  for (const end of ['', '-wal']) copyFileSync(killed + end, dbPath + end);
  return dbPath;
}

/** Every file of a folder with the digest of its bytes. */
export function bytesIn(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map(({ parentPath, name }) => [join(parentPath, name), sha256(readFileSync(join(parentPath, name)))]).sort(),
  );
}

export const bytesBeside = (dbPath: string): Record<string, string> => bytesIn(dirname(dbPath));
