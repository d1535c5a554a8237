/**
 * A disk that is full before an operation, or becomes full at each moment of it: the message says how much is
 * needed, the source is the same as before, byte for byte, and the target is not there. One that reports success
 * has made a sound file with all of the rows.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { backupDatabase, compactDatabase, copyStores, restoreDatabase } from 'sds-persistence-worker';
import { soundSchemas } from './hostile-schemas.ts';
import { Random } from './random.ts';
import { codeOf, type RigContext, scaled, withFolder, within } from './rig.ts';

const DISK_MB = 24;
const SOURCE_BYTES = 8_000_000;

type Operation = (source: string, target: string, OnProgress: () => void) => Promise<unknown>;
const operations: Record<string, Operation> = {
  backup: (source, target, OnProgress) => backupDatabase(source, target, { OnProgress }),
  restore: (source, target, OnProgress) => restoreDatabase(source, target, { OnProgress, Verify: false }),
  copy: (source, target, OnProgress) => copyStores(source, target, { OnProgress }),
  compact: (source, _, OnProgress) => compactDatabase(source, { OnProgress }),
};

export async function run({ seed, scale, report }: RigContext): Promise<void> {
  const random = new Random(seed);
  await withFolder(async (folder) => {
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MB}m`, 'none', disk], { stdio: 'pipe' });
    } catch (error) {
      report.skip(`mounting a small file system is not permitted here: ${String(error).split('\n')[0]}`);
      return;
    }
    try {
      const source = join(disk, 'source.db');
      makeSource(source);
      for (let i = scaled(40, scale, 3); i > 0; i--) {
        for (const [name, operation] of Object.entries(operations)) {
          await one(name, operation, source, random.below(SOURCE_BYTES * 1.4), undefined);
          await one(name, operation, source, undefined, random.below(SOURCE_BYTES));
        }
      }
    } finally {
      execFileSync('umount', ['-l', disk]);
    }

    /** With so many bytes free from the start, or so many taken away while it works, all but some of the rest. */
    async function one(
      name: string,
      operation: Operation,
      source: string,
      free: number | undefined,
      later: number | undefined,
    ): Promise<void> {
      const ballast = join(disk, 'ballast');
      const room = DISK_MB * 1024 * 1024 - readFileSync(source).length - 200_000;
      const fill = (bytes: number) => writeFileSync(ballast, Buffer.alloc(Math.max(room - bytes, 0)));
      if (free !== undefined) fill(free);
      let filled = free !== undefined;
      const target = join(disk, 'target.db');
      const before = readFileSync(source);
      const contents = contentsOf(source);
      const what = `${name} with ${free ?? `${later} later`} bytes free (seed ${seed})`;
      let made: string | undefined;
      try {
        const done = operation(source, target, () => {
          if (filled || later === undefined) return;
          filled = true;
          try {
            fill(later);
          } catch {
            // the operation itself was quicker to take the room: as full as it can be
          }
        });
        await within(60_000, what, done);
        report.count(`${name}: had room enough`);
        made = name === 'compact' ? source : target;
        if (!existsSync(made)) report.violation(`${what}: done, and the target is not there`);
      } catch (error) {
        if (codeOf(error) !== 'database-full') report.violation(`${what}: ${String(error)}`);
        else if (!/[\d,]+ bytes are needed/.test(String(error)))
          report.violation(`${what}: ${String(error)} says no number`);
        report.count(`${name}: no room${later === undefined ? '' : ' any more'}`);
        if (existsSync(target)) report.violation(`${what}: failed, and the target is there`);
        if (!readFileSync(source).equals(before)) report.violation(`${what}: the source was changed`);
      }
      const left = readdirSync(disk).filter((file) => !['source.db', 'target.db', 'ballast'].includes(file));
      if (left.length > 0) report.violation(`${what}: left ${left.join()}`);
      rmSync(ballast, { force: true }); // a reader needs room for an index
      if (made !== undefined && existsSync(made) && contentsOf(made) !== contents) {
        report.violation(`${what}: done, and the file is not what its source was`);
      }
      for (const path of [target, `${target}-wal`, `${target}-shm`]) rmSync(path, { force: true });
    }
  });
}

/** Its rows, by their digest; or what is wrong with it. */
function contentsOf(path: string): string {
  const database = new DatabaseSync(path);
  try {
    const check = Object.values(database.prepare('PRAGMA integrity_check(1)').get() ?? {})[0];
    if (check !== 'ok') return String(check);
    const digest = createHash('sha256');
    for (const { clock, data } of database.prepare('SELECT clock, data FROM patches ORDER BY clock').iterate()) {
      digest.update(`${clock} `).update(data as Uint8Array);
    }
    return digest.digest('hex');
  } catch (error) {
    return String(error);
  } finally {
    database.close();
  }
}

function makeSource(path: string): void {
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA journal_mode = WAL; ${soundSchemas['our own schema']}; BEGIN`);
  const insert = database.prepare("INSERT INTO patches VALUES ('store', ?, ?)");
  for (let clock = 1; clock * 2000 <= SOURCE_BYTES; clock++) insert.run(clock, new Uint8Array(2000).fill(clock));
  database.exec('COMMIT');
  database.close();
}
