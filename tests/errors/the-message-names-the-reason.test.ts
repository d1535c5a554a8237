/** Programs print `error.message` alone: it names the call, the file, what SQLite or the system said, and what to do. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import {
  backupDatabase,
  compactDatabase,
  copyStores,
  describeDatabase,
  restoreDatabase,
  SDS_DesktopPersistenceProvider,
  type SDS_PersistenceError,
  type SDS_ProviderOptions,
  transfer,
  verifyDatabase,
} from 'sds-persistence-worker';
import { describe, expect, it, onTestFinished } from 'vitest';
import { toldUnderFaults } from '../support/faults.ts';
import { freshFile, freshFolder, patchOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';
import { ReferenceProvider } from '../support/reference-provider.ts';
import { canMount, smallDisk } from '../support/small-disk.ts';
import { makeStoreFile } from '../support/store-files.ts';

/** All that were started here. */
const workers: Worker[] = [];
process.on('worker', (worker) => workers.push(worker));

async function errorOf(promise: Promise<unknown>): Promise<SDS_PersistenceError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason as SDS_PersistenceError,
  );
  if (error === undefined) throw new Error('it did not fail');
  return error;
}

/** What the synchronous provider says, by its constructor or by the call. */
async function reasonOfReference(file: string, call: (provider: ReferenceProvider) => Promise<unknown>) {
  try {
    await call(new ReferenceProvider(file, 'store'));
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('the synchronous provider did not fail');
}

function open(file: string, options: SDS_ProviderOptions = {}): SDS_DesktopPersistenceProvider {
  const provider = new SDS_DesktopPersistenceProvider(file, 'store', {
    BusyTimeoutMs: 0,
    Acknowledge: 'committed',
    ...options,
  });
  onTestFinished(() => provider.close());
  return provider;
}

const noDatabase = () => {
  const file = freshFile();
  writeFileSync(file, 'This is a letter, and not a database. '.repeat(200));
  return file;
};

/** Its first page of rows is overwritten. */
const damaged = () => {
  const file = makeStoreFile(freshFile(), { patches: 2000, sql: 'PRAGMA journal_mode = DELETE' });
  const page = openSync(file, 'r+');
  for (let at = 2; at < 60; at++) writeSync(page, new Uint8Array(3000).fill(255), 0, 3000, at * 4096);
  closeSync(page);
  return file;
};

const another = () => {
  const file = freshFile();
  const database = new DatabaseSync(file);
  database.exec('CREATE TABLE patches (id INTEGER PRIMARY KEY, body TEXT)');
  database.close();
  return file;
};

/** Locked by another connection as long as the test runs. */
const locked = () => {
  const file = makeStoreFile(freshFile());
  const holder = new DatabaseSync(file);
  holder.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
  onTestFinished(() => holder.close());
  return file;
};

describe('a provider', () => {
  it.each([
    ['no database', noDatabase],
    ['a folder that is not there', () => join(freshFolder(), 'no', 'such', 'store.db')],
  ])('says what the synchronous provider says: %s', async (_, make) => {
    const file = make();
    const reason = await reasonOfReference(file, (provider) => provider.loadPatchesSince(0));
    const provider = open(file);
    for (const [name, call] of Object.entries({
      ready: () => provider.ready(),
      appendPatch: () => provider.appendPatch(patchOf(1), 1),
      saveSnapshot: () => provider.saveSnapshot(new Uint8Array(300_000), 1),
      loadPatchesSince: () => provider.loadPatchesSince(0),
    })) {
      const { message } = await errorOf(call());
      expect(message).toContain(`${name} ('${file}'): `);
      expect(message).toContain(reason);
      expect(message).toMatch(/; check the path/);
    }
  });

  it('the same of damaged rows', async () => {
    const file = damaged();
    const reason = await reasonOfReference(file, (provider) =>
      provider
        .loadPatchesSince(0)
        .then(() => provider.loadSnapshot())
        .then(() => provider.appendPatch(patchOf(1), 1)),
    );
    const provider = open(file);
    await provider.loadSnapshot().catch(() => 'damaged or not, that is asked below');
    const failures = await Promise.allSettled([provider.loadPatchesSince(0), provider.appendPatch(patchOf(1), 1)]);
    const messages = failures.flatMap((outcome) => (outcome.status === 'rejected' ? [String(outcome.reason)] : []));
    expect(messages.join()).toContain(`(${reason}); restore it from a copy`);
  });

  it('names the folder that is missing', async () => {
    const folder = join(freshFolder(), 'no-such-folder');
    const { message } = await errorOf(open(join(folder, 'store.db')).ready());
    expect(message).toMatch(
      /unable to open database file: ENOENT: no such file or directory, access '.*no-such-folder'/,
    );
  });

  it('a folder in the place of the file', async () => {
    expect((await errorOf(open(freshFolder()).ready())).message).toContain('this is a folder, not a database file');
  });

  it('tables of another shape', async () => {
    const { message } = await errorOf(open(another()).appendPatch(patchOf(1), 1));
    expect(message).toMatch(
      /this is no file of this package \(table 'patches' has the columns \(.*\), not \(.*\)\); it was left untouched/,
    );
  });

  it('a lock of another connection', async () => {
    const file = locked();
    const { message, code } = await errorOf(open(file).appendPatch(patchOf(1), 1));
    expect(code).toBe('database-busy');
    expect(message).toMatch(/\(database is locked\); nothing was stored: call again$/);
  });

  it('a file that was moved away', async () => {
    const file = freshFile();
    const provider = open(file);
    await provider.appendPatch(patchOf(1), 1);
    renameSync(file, `${file}-away`);
    expect((await errorOf(provider.appendPatch(patchOf(2), 2))).message).toContain(
      'the file was removed or moved away',
    );
    renameSync(`${file}-away`, file);
  });

  it('bytes that do not match their hash', async () => {
    const provider = open(freshFile(), { VerifyValues: true });
    const { message } = await errorOf(provider.saveValue('a'.repeat(64), patchOf(1)));
    expect(message).toMatch(/an argument is not acceptable \(the value's SHA-256 is [0-9a-f]{64}, not a{64}\b.*\)$/);
  });

  it.runIf(process.platform === 'linux')(
    'a limit on the size of files, which the disk is not the reason of',
    async () => {
      const ended = await runProgram(
        `const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      console.log(await provider.appendPatch(new Uint8Array(1_000_000), 1).catch(({ code, message }) => code + ': ' + message));
      await provider.close().catch(() => {});`,
        freshFile(),
        { node: '/bin/sh', flags: ['-c', 'ulimit -f 512; exec "$0" "$1"', process.execPath] },
      );
      expect(ended.stdout).toMatch(/^io-error: .*limits on the size of files \(ulimit -f\)/);
    },
  );

  it('a file system without locks', async ({ skip }) => {
    const file = freshFile();
    const program = `
      const provider = new all.SDS_DesktopPersistenceProvider(${JSON.stringify(file)}, 'store');
      faults.arm(LOCKS, 'EOPNOTSUPP', 1, true);
      told.push(await outcome(provider.appendPatch(new Uint8Array(1), 1)));
      faults.disarm();
      told.push(await outcome(provider.appendPatch(new Uint8Array(1), 1)));`;
    const told = await toldUnderFaults(program, file, skip);
    expect(told).toEqual([
      expect.stringMatching(/^io-error: .*could not be locked.*a file system that has locks/),
      'done',
    ]);
  });

  it('a value that was stored under the hash of other bytes: of the file nothing is said, it is sound', async () => {
    const file = freshFile();
    await open(file).saveValue('a'.repeat(64), patchOf(1));
    const { code, message } = await errorOf(open(file, { VerifyValues: true }).loadValue('a'.repeat(64)));
    expect(code).toBe('database-corrupt');
    expect(message).toMatch(
      /'\): the value's SHA-256 is [0-9a-f]{64}, not a{64} \(.*\); save it anew, or take it from a backup$/,
    );
  });

  it('a provider that is closed', async () => {
    const provider = open(freshFile());
    await provider.close();
    expect((await errorOf(provider.loadSnapshot())).message).toMatch(/the provider is closed; make another one/);
  });

  it('bytes that were handed over, and went down with the worker', async () => {
    const file = locked();
    const provider = open(file, { BusyTimeoutMs: 60_000 });
    const bytes = new Uint8Array(1_000_000);
    const saving = errorOf(provider.saveSnapshot(transfer(bytes, [bytes.buffer]), 1));
    await setImmediate(); // sent
    await Promise.all(workers.map((worker) => worker.terminate()));
    const { message, code } = await saving;
    expect(code).toBe('worker-lost');
    expect(message).toMatch(/the bytes that were handed over went down with the worker thread; nothing was stored/);
  });
});

it.skipIf(!canMount)(
  'a file system that is read-only: its own words, for a file that is there and for a new one',
  async () => {
    const disk = smallDisk();
    makeStoreFile(join(disk, 'store.db'));
    execFileSync('mount', ['-o', 'remount,ro', disk]);
    const there = await errorOf(open(join(disk, 'store.db')).appendPatch(patchOf(1), 1));
    expect(there.code).toBe('read-only');
    expect(there.message).toMatch(
      /the database can not be written \(.*(readonly|EROFS|unable to open).*\); check the permissions/,
    );
    const fresh = await errorOf(open(join(disk, 'new.db')).ready());
    expect(fresh.message).toMatch(/unable to open database file: EROFS: read-only file system/);
  },
);

const operations: Record<string, (path: string) => Promise<unknown>> = {
  describeDatabase,
  verifyDatabase,
  compactDatabase,
  backupDatabase: (path) => backupDatabase(path, `${path}.target`),
  restoreDatabase: (path) => restoreDatabase(path, `${path}.target`),
  copyStores: (path) => copyStores(path, `${path}.target`),
};

describe.each(Object.keys(operations))('%s', (name) => {
  const run = operations[name] as (path: string) => Promise<unknown>; // one of its keys

  it('no database', async () => {
    const file = noDatabase();
    const { message } = await errorOf(run(file));
    expect(message).toBe(
      `${name} ('${file}'): this is not an SQLite database (file is not a database); name another file`,
    );
  });

  it('no file', async () => {
    const file = join(freshFolder(), 'missing.db');
    const { message } = await errorOf(run(file));
    expect(message).toMatch(/: there is no such file or folder \(ENOENT: .* '.*missing\.db'\); check the path$/);
    expect(message).toContain(`${name} ('${file}')`);
  });
});

it('a target whose folder is missing, or whose name is too long: it is the target that is named', async () => {
  const source = makeStoreFile(freshFile());
  const folder = join(freshFolder(), 'missing');
  const missing = await errorOf(backupDatabase(source, join(folder, 'target.db')));
  expect(missing.message).toMatch(/missing\/target\.db'\): there is no such file or folder \(ENOENT: .*missing'\)/);
  const long = await errorOf(backupDatabase(source, join(freshFolder(), 'x'.repeat(300))));
  expect(long.message).toMatch(/x{300}'\): the name is too long \(ENAMETOOLONG: .*\); name a shorter one$/);
});
