/**
 * Damaged files, files of another shape, files that are no database, through every operation: a result, a finding
 * or an error with a code, in bounded time; what was only looked at is the same afterwards, byte for byte (but the log's
 * index, which every reader may write), and a target that was not finished is not there.
 */
import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  backupDatabase,
  compactDatabase,
  copyStores,
  describeDatabase,
  restoreDatabase,
  verifyDatabase,
} from 'sds-persistence-worker';
import { otherSchemas, soundSchemas } from './hostile-schemas.ts';
import { Random } from './random.ts';
import { codeOf, type RigContext, scaled, withFolder, within } from './rig.ts';

const operations: Record<string, (dbPath: string, target: string) => Promise<unknown>> = {
  describe: (dbPath) => describeDatabase(dbPath),
  verify: (dbPath) => verifyDatabase(dbPath),
  'watch, one look': (dbPath) => describeDatabase(dbPath, { Quick: true }),
  backup: (dbPath, target) => backupDatabase(dbPath, target),
  restore: (dbPath, target) => restoreDatabase(dbPath, target),
  copy: (dbPath, target) => copyStores(dbPath, target),
  // it replaces the file, so it comes last
  compact: (dbPath) => compactDatabase(dbPath),
};
/** A process for each takes its time: each of so many files goes through the command line itself. */
const COMMANDS_EACH = 10;
const commands: Record<string, (dbPath: string, target: string) => string[]> = {
  'command info': (dbPath) => ['info', dbPath],
  'command verify': (dbPath) => ['verify', dbPath],
  'command watch': (dbPath) => ['watch', '--count', '1', dbPath],
  'command backup': (dbPath, target) => ['backup', dbPath, target],
  'command restore': (dbPath, target) => ['restore', dbPath, target],
  'command copy': (dbPath, target) => ['copy', dbPath, target],
  // it replaces the file, which is put back for what comes after
  'command compact': (dbPath) => ['compact', dbPath],
};
const bin = join(import.meta.dirname, '../dist/bin.js');

/** Fails with the code of its document; also if it does not end as it says, or says anything besides. */
function byCommand(argsOf: (typeof commands)[string]) {
  return async (dbPath: string, target: string): Promise<void> => {
    const [name = '', ...args] = argsOf(dbPath, target);
    const { status, stdout, stderr } = await runNode([bin, name, '--json', ...args]);
    const { Ok, Results } = JSON.parse(stdout) as {
      Ok: boolean;
      Results: { Error?: { Code: string; Message: string } }[];
    };
    if (stderr !== '' || status !== (Ok ? 0 : 1)) throw new Error(`ended with ${status}: ${stderr}`);
    const failure = Results[0]?.Error;
    if (failure !== undefined) throw Object.assign(new Error(failure.Message), { code: failure.Code });
  };
}

function runNode(args: string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = execFile(process.execPath, args, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') reject(new Error(`${error.message} (${error.signal})`));
      else resolve({ status: child.exitCode, stdout, stderr });
    });
  });
}

const codes = [
  'open-failed',
  'schema-mismatch',
  'database-corrupt',
  'io-error',
  'invalid-argument',
  'database-busy',
  'read-only',
];

export async function run({ seed, scale, report }: RigContext): Promise<void> {
  const random = new Random(seed);
  let files = 0;
  await withFolder(async (folder) => {
    const dbPath = join(folder, 'hostile.db');
    for (const [name, sql] of Object.entries({ ...otherSchemas, ...soundSchemas })) {
      build(dbPath, sql);
      await all(name);
    }
    const sound = makeSound(dbPath, random);
    const left = leftByKilled(dbPath, sound);
    for (let i = scaled(400, scale, 8); i > 0; i--) {
      const kind = damage(dbPath, sound, left, random);
      report.count(`files with damage: ${kind}`);
      await all(`file ${i} (${kind}, seed ${seed})`);
    }

    async function all(what: string): Promise<void> {
      if (files++ % COMMANDS_EACH === 0) {
        const given = filesOf(dbPath);
        for (const [name, args] of Object.entries(commands)) await one(`${what}: ${name}`, name, byCommand(args));
        putBack(dbPath, given);
      }
      for (const [name, operation] of Object.entries(operations)) await one(`${what}: ${name}`, name, operation);
    }

    async function one(what: string, name: string, operation: (typeof operations)[string]): Promise<void> {
      const target = join(folder, 'target.db');
      const before = bytes(dbPath);
      let outcome: string;
      try {
        await within(60_000, what, operation(dbPath, target));
        outcome = 'ok';
      } catch (error) {
        outcome = codeOf(error);
        if (!codes.includes(outcome)) report.violation(`${what}: ${String(error)}`);
        if (existsSync(target)) report.violation(`${what}: failed, and the target is there`);
      }
      report.count(`${name}: ${outcome}`);
      if (!name.endsWith('compact') && bytes(dbPath) !== before) report.violation(`${what}: the file was changed`);
      for (const end of ['', '-wal', '-shm', '-journal']) rmSync(target + end, { force: true });
      const left = readdirSync(folder).filter((file) => file.startsWith('sds-partial-'));
      if (left.length > 0) report.violation(`${what}: left ${left.join()}`);
    }
  });
}

const ends = ['', '-wal', '-shm', '-journal'];

function bytes(dbPath: string): string {
  const kept = ends.filter((end) => end !== '-shm');
  return kept.map((end) => (existsSync(dbPath + end) ? readFileSync(dbPath + end, 'latin1') : '-')).join('|');
}

type Files = Record<string, Buffer>;

/** A file and what lies beside it, by their endings. */
function filesOf(dbPath: string): Files {
  const there = ends.filter((end) => existsSync(dbPath + end));
  return Object.fromEntries(there.map((end) => [end, readFileSync(dbPath + end)]));
}

function putBack(dbPath: string, files: Files): void {
  for (const end of ends) rmSync(dbPath + end, { force: true });
  for (const [end, content] of Object.entries(files)) writeFileSync(dbPath + end, content);
}

function build(dbPath: string, sql: string): void {
  for (const end of ends) rmSync(dbPath + end, { force: true });
  const database = new DatabaseSync(dbPath);
  database.exec(sql);
  database.close();
}

function makeSound(dbPath: string, random: Random): Buffer {
  build(dbPath, `PRAGMA journal_mode = WAL; ${soundSchemas['our own schema']}`);
  const database = new DatabaseSync(dbPath);
  const insert = database.prepare('INSERT INTO patches VALUES (?, ?, ?)');
  for (let clock = 1; clock <= 200; clock++) insert.run(`store ${clock % 3}`, clock, random.bytes(random.below(300)));
  database.prepare("INSERT INTO snapshots VALUES ('store 1', ?, 5)").run(random.bytes(9000));
  database.prepare("INSERT INTO blobs VALUES ('value', ?, 2)").run(random.bytes(7000));
  database.close();
  return readFileSync(dbPath);
}

/** What a process leaves that is killed with commits in the log alone, and within a transaction with a journal. */
function leftByKilled(dbPath: string, sound: Buffer): { log: Files; journal: Files } {
  const whileOpen = (sql: string): Files => {
    writeFileSync(dbPath, sound);
    const database = new DatabaseSync(dbPath);
    database.exec(sql);
    // a copy of files that are open is what is on the disk when their process is killed
    for (const end of ends) if (existsSync(dbPath + end)) copyFileSync(dbPath + end, `${dbPath}.left${end}`);
    database.close();
    const files = filesOf(`${dbPath}.left`);
    for (const end of Object.keys(files)) rmSync(`${dbPath}.left${end}`);
    return files;
  };
  const update = "UPDATE patches SET data = zeroblob(400) WHERE store_id = 'store 2'";
  const log = whileOpen(`PRAGMA wal_autocheckpoint = 0; ${update}`);
  return { log, journal: whileOpen(`PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1; BEGIN IMMEDIATE; ${update}`) };
}

function damage(dbPath: string, sound: Buffer, left: ReturnType<typeof leftByKilled>, random: Random): string {
  for (const end of ends) rmSync(dbPath + end, { force: true });
  const copy = Buffer.from(sound);
  const kind = random.pick([
    'bits',
    'bits',
    'header',
    'truncated',
    'block',
    'noise',
    'log',
    'log and index',
    'journal',
    'left with a log',
    'left with a journal',
  ]);
  const flip = (limit: number, bytes = copy) => {
    const at = random.below(limit);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  };
  if (kind.startsWith('left')) {
    const files = kind === 'left with a log' ? left.log : left.journal;
    const hit = random.pick([...Object.keys(files), 'none']);
    for (const [end, whole] of Object.entries(files)) {
      const bytes = Buffer.from(whole);
      if (end === hit) for (let n = 1 + random.below(4); n > 0; n--) flip(bytes.length, bytes);
      writeFileSync(dbPath + end, bytes);
    }
    return kind;
  }
  if (kind === 'bits') for (let n = 1 + random.below(20); n > 0; n--) flip(copy.length);
  if (kind === 'header') for (let n = 1 + random.below(4); n > 0; n--) flip(100);
  if (kind === 'block') copy.set(random.bytes(512), random.below(copy.length / 512) * 512);
  writeFileSync(dbPath, kind === 'noise' ? random.bytes(random.below(10_000)) : copy);
  if (kind === 'truncated') truncateSync(dbPath, random.below(copy.length));
  if (kind.startsWith('log')) writeFileSync(`${dbPath}-wal`, random.bytes(random.below(20_000)));
  if (kind === 'log and index') writeFileSync(`${dbPath}-shm`, random.bytes(random.below(40_000)));
  if (kind === 'journal') writeFileSync(`${dbPath}-journal`, random.bytes(random.below(20_000)));
  return kind;
}
