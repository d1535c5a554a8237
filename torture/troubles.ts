/** Ordinary troubles of a program's database file, as others cause them: each is begun, and ended. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { rowsOf } from '../tests/support/rows.ts';
import type { Program } from './child-process.ts';
import { integrityOf, reading } from './database-rows.ts';
import { fill } from './document-scenes.ts';
import { ACCESSES, FaultControl, OPENS, READS, SYNCS, TRUNCATES, WRITES } from './fault-control.ts';
import { buildFaultyLibrary, newControl, slowDisk, withFaults } from './faulty-library.ts';
import type { Random } from './random.ts';
import { type Report, withFolder } from './rig.ts';
import type { Land, Lands, Scene } from './two-troubles.ts';

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

const AT_ONCE = 3;
const DISK = 'size=64m';
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

const outside = {
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

type Outside = keyof typeof outside;
const isOutside = (kind: string): kind is Outside => kind in outside;

export const files: Lands = (report, work) =>
  withFolder(async (folder) => {
    const library = buildFaultyLibrary(folder, report);
    const land: Land = {
      kinds: [...Object.keys(outside), 'slow'],
      optionsOf: () => ({}),
      // a commit may have met an error that says nothing of its outcome; what is tried once more after that may fail otherwise
      mayBeStored: (_, codes) => codes.includes('io-error'),
      codesOf: (kind, isVictim) => (isVictim && isOutside(kind) ? outside[kind].codes : []),
      codesOfSharing: ['database-busy'],
      sceneOf: async (seed, kinds) => sceneIn(folder, seed, kinds, library, report),
    };
    await Promise.all(Array.from({ length: AT_ONCE }, () => work(land)));
  });

function sceneIn(
  parent: string,
  seed: number,
  kinds: readonly string[],
  library: string | undefined,
  report: Report,
): Scene | undefined {
  const disk = join(parent, `${seed}`);
  const folder = join(disk, 'here');
  const path = join(folder, 'faulty-0.db');
  const control = library !== undefined && kinds.includes('faults') ? newControl(parent) : undefined;
  const faults = control === undefined ? undefined : new FaultControl(control);
  mkdirSync(disk);
  if (kinds.includes('full') && !mounted(disk, report)) return undefined;
  mkdirSync(folder);
  return {
    places: [path, `${disk}-sound-1.db`, `${disk}-sound-2.db`],
    envOf: (random) => ({
      ...(library !== undefined && kinds.includes('slow')
        ? slowDisk(library, 'faulty-', 100 + random.below(1500))
        : {}),
      ...(library !== undefined && control !== undefined ? withFaults(library, control) : {}),
    }),
    begin: (kind, random, _, program) =>
      isOutside(kind)
        ? outside[kind].begin({ folder, path, ballast: join(disk, 'ballast'), faults, program }, random)
        : undefined,
    async rowsOf(place, tell) {
      if (!existsSync(place)) return undefined;
      const sound = integrityOf(place);
      if (sound !== 'ok') tell(`integrity_check of ${place}: ${sound}`);
      const isMade = reading(place, (database) =>
        database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'patches'").get(),
      );
      return isMade === undefined ? { patches: [], snapshots: [], blobs: [], records: [] } : rowsOf(place);
    },
    labelOf: (place) => `'${place}'`,
    async end() {
      if (kinds.includes('full')) execFileSync('umount', ['-l', disk]);
    },
  };
}

function mounted(disk: string, report: Report): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', DISK, 'none', disk], { stdio: 'pipe' });
    return true;
  } catch (error) {
    report.skip(`mounting a small file system is not permitted here: ${String(error).split('\n')[0]}`);
    return false;
  }
}

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
