/** Ordinary troubles of a program's database file, as others cause them: each is begun, and ended. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Program } from './child-process.ts';
import { fill } from './document-scenes.ts';
import { ACCESSES, type FaultControl, OPENS, READS, SYNCS, TRUNCATES, WRITES } from './fault-control.ts';
import type { Random } from './random.ts';

/** What trouble is made for. */
export interface Victim {
  /** In a folder of its own. */
  folder: string;
  path: string;
  /** A file that takes all the room of its disk. */
  ballast: string;
  faults: FaultControl | undefined;
  /** Once it has started. */
  program: Program | undefined;
}

interface Trouble {
  /** What calls on the file may be rejected with. */
  codes: readonly string[];
  /** Returns what ends it. */
  begin(victim: Victim, random: Random): () => void;
}

const RETRY_MS = 3;
const faults = [
  [OPENS | ACCESSES, 'EROFS'],
  [OPENS, 'EMFILE'],
  [OPENS, 'EACCES'],
  [WRITES, 'EIO'],
  [WRITES | TRUNCATES, 'ENOSPC'],
  [SYNCS, 'EIO'],
  [READS, 'EIO'],
] as const;

export const outside = {
  full: {
    codes: ['database-full'],
    begin({ ballast }) {
      fill(ballast);
      return () => rmSync(ballast, { force: true });
    },
  },
  locked: {
    codes: ['database-busy'],
    begin: ({ path }) => besides(path, (database) => database.exec('BEGIN IMMEDIATE')),
  },
  read: {
    codes: ['database-busy'],
    begin: ({ path }) => besides(path, (database) => database.exec('BEGIN; SELECT count(*) FROM sqlite_schema')),
  },
  written: {
    codes: ['database-busy'],
    begin: ({ path }, random) =>
      besides(path, (database) => {
        database.exec('CREATE TABLE IF NOT EXISTS of_others (data); INSERT INTO of_others VALUES (zeroblob(20000))');
        if (random.chance(0.2)) database.exec('DELETE FROM of_others; VACUUM');
        if (random.chance(0.2)) database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
        throw new Error('and again');
      }),
  },
  moved: {
    codes: ['io-error', 'open-failed'],
    begin({ folder }) {
      if (!existsSync(folder)) return () => undefined; // it is moved already
      renameSync(folder, `${folder}-away`);
      return () => renameSync(`${folder}-away`, folder);
    },
  },
  faults: {
    codes: ['open-failed', 'io-error', 'read-only', 'database-full', 'database-busy', 'database-corrupt'],
    begin(victim, random) {
      const [calls, error] = random.pick(faults);
      victim.faults?.arm(calls, error, 1 + random.below(30), true);
      return () => void victim.faults?.disarm();
    },
  },
  stopped: {
    codes: [],
    begin({ program }) {
      program?.signal('SIGSTOP');
      return () => program?.signal('SIGCONT');
    },
  },
} as const satisfies Record<string, Trouble>;

export type Outside = keyof typeof outside;

/** A connection of another process, on which something is tried until it succeeds. */
function besides(path: string, begin: (database: DatabaseSync) => void): () => void {
  let database: DatabaseSync | undefined;
  let timer: NodeJS.Timeout | undefined;
  const attempt = () => {
    try {
      database ??= new DatabaseSync(path);
      database.exec('PRAGMA busy_timeout = 0');
      begin(database);
    } catch {
      timer = setTimeout(attempt, RETRY_MS);
    }
  };
  attempt();
  return () => {
    clearTimeout(timer);
    if (database?.isTransaction) database.exec('ROLLBACK');
    database?.close();
  };
}
