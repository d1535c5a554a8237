/**
 * Operations on a large file by themselves, beside two of SQLite's own ways to copy a file, one core's SHA-256 and SQLite's
 * own check, in turn.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { backupDatabase, verifyDatabase } from '../../dist/index.js';
import { median } from '../measure.ts';
import { makeLargeFile } from './large-file.ts';
import type { Work } from './work.ts';

export const operations: Work = async ({ folder, sizes }) => {
  const { values = 100, valueBytes = 2000, turns = 1 } = sizes;
  const large = join(folder, 'large.db');
  const target = join(folder, 'target.db');
  makeLargeFile(large, values, valueBytes);
  // what was just made is brought to the disk before anything is measured
  execFileSync('sync', [large]);
  const works: Record<string, () => unknown> = {
    backupMs: () => backupDatabase(large, target),
    vacuumIntoMs() {
      withDatabase(large, (database) => database.prepare('VACUUM INTO ?').run(target));
      execFileSync('sync', [target]);
    },
    async sqliteBackupMs() {
      const database = new DatabaseSync(large);
      await backup(database, target, { rate: 1024 });
      database.close();
      execFileSync('sync', [target]);
    },
    integrityMs: () => withDatabase(large, (database) => database.prepare('PRAGMA integrity_check').all()),
    sha256Ms: () => hashAlone(values, valueBytes),
    verifyMs: () => verifyDatabase(large),
  };
  execFileSync('cp', [large, target]); // so that the caches are warm
  rmSync(target);
  const took: Record<string, number[]> = {};
  for (let turn = 0; turn < turns; turn++) {
    for (const [name, work] of Object.entries(works)) {
      const start = performance.now();
      await work();
      const ms = performance.now() - start;
      took[name] = [...(took[name] ?? []), ms];
      rmSync(target, { force: true });
    }
  }
  return Object.fromEntries(Object.entries(took).map(([name, all]) => [name, median(all)]));
};

function withDatabase(path: string, work: (database: DatabaseSync) => unknown): void {
  const database = new DatabaseSync(path);
  work(database);
  database.close();
}

function hashAlone(values: number, valueBytes: number): void {
  const bytes = new Uint8Array(valueBytes);
  for (let i = 0; i < values; i++) createHash('sha256').update(bytes).digest('hex');
}
