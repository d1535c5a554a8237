/** Of the files that operations are making in a folder, those of killed processes are removed, whoever made them; no others. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { backupDatabase, compactDatabase, copyStores } from 'sds-persistence-worker';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { toldUnderFaults } from '../support/faults.ts';
import { freshFolder, rowsOf } from '../support/files.ts';
import { makeStoreFile } from '../support/store-files.ts';

const packagePath = JSON.stringify(join(import.meta.dirname, '../../dist/index.js'));
const large = { patches: 1500, patchBytes: 8000 };

/** Makes a backup, and in its middle says so and sends itself a signal. */
const program = (source: string, target: string, signal?: string) => `
const { backupDatabase } = await import(${packagePath});
let told = false;
await backupDatabase(${JSON.stringify(source)}, ${JSON.stringify(target)}, { OnProgress() {
  if (told || ${signal === undefined}) return;
  told = true;
  console.log('in the middle');
  process.kill(process.pid, '${signal}');
} });
console.log('done');`;

/** By which a program gets numbers of processes and a name of the host of its own, as in a container. */
const own = ['--map-root-user', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc'];
// the program is not the first process there, which would be deaf to its own signals
const apart = ['unshare', ...own, 'sh', '-c', 'hostname "$0"; "$@"; true'];

function start(text: string, host?: string): ChildProcess {
  const node = [process.execPath, '--input-type=module', '-e', text];
  const [command = '', ...args] = host === undefined ? node : [...apart, host, ...node];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

const inTheMaking = (folder: string) => readdirSync(folder).filter((name) => name.startsWith('sds-partial-'));

let hosts: (string | undefined)[] = [];
beforeAll(() => {
  // where no namespaces may be made, processes of one are what can be tried
  const [command = '', ...args] = apart;
  hosts =
    spawnSync(command, [...args, 'probe', 'true']).status === 0
      ? [undefined, hostname(), 'pod-1', 'pod-2']
      : [undefined];
});

it('what a killed process was making is removed by the next operation there, also in another container', async () => {
  const source = makeStoreFile(join(freshFolder(), 'store.db'), large);
  const folder = freshFolder();
  for (const host of hosts) {
    await ended(start(program(source, join(folder, 'killed.db'), 'SIGKILL'), host));
    // each has removed what the one before it has left
    expect(
      inTheMaking(folder).filter((name) => name.endsWith('.db')),
      String(host),
    ).toHaveLength(1);
  }
  await backupDatabase(source, join(folder, 'whole.db'));
  expect(readdirSync(folder)).toEqual(['whole.db']);
});

it('what a living process is making stays, also if it is stopped, and looked at from another container', async () => {
  const source = makeStoreFile(join(freshFolder(), 'store.db'), large);
  const folder = freshFolder();
  const stopped = start(program(source, join(folder, 'stopped.db'), 'SIGSTOP'));
  await once(stopped.stdout as NodeJS.ReadableStream, 'data');
  for (const host of hosts) await ended(start(program(source, join(folder, `${host}.db`)), host));
  await backupDatabase(source, join(folder, 'here.db'));
  expect(inTheMaking(folder).filter((name) => name.endsWith('.db'))).toHaveLength(1);
  stopped.kill('SIGCONT');
  await ended(stopped);
  expect(readdirSync(folder).sort()).toEqual([...hosts.map((host) => `${host}.db`), 'here.db', 'stopped.db'].sort());
  expect(rowsOf(join(folder, 'stopped.db'))).toEqual(rowsOf(source));
});

it('what a living process is making stays also if its lock can not be looked at', async ({ skip }) => {
  const source = makeStoreFile(join(freshFolder(), 'store.db'), large);
  const folder = freshFolder();
  const stopped = start(program(source, join(folder, 'stopped.db'), 'SIGSTOP'));
  await once(stopped.stdout as NodeJS.ReadableStream, 'data');
  const text = `for (const calls of [ACCESSES, STATS]) for (let n = 1, fired = 1; fired > 0; n++) {
    const target = ${JSON.stringify(folder)} + '/' + calls + '-' + n + '.db';
    faults.arm(calls, 'EIO', n, false);
    await all.backupDatabase(${JSON.stringify(source)}, target).catch(() => {});
    fired = faults.disarm();
    told.push(fired);
  }`;
  const told = await toldUnderFaults(text, '.lock', skip);
  stopped.kill('SIGCONT');
  await ended(stopped);
  expect(readdirSync(folder)).toContain('stopped.db');
  expect(rowsOf(join(folder, 'stopped.db'))).toEqual(rowsOf(source));
  if (told !== undefined) expect(told.length).toBeGreaterThan(3);
});

it('operations of one process in one folder leave each other alone', async () => {
  const source = makeStoreFile(join(freshFolder(), 'store.db'), { patches: 300, patchBytes: 3000 });
  const folder = freshFolder();
  const other = makeStoreFile(join(folder, 'other.db'));
  const names = Array.from({ length: 12 }, (_, i) => `${i}.db`);
  await Promise.all([
    ...names.map((name, i) => (i % 2 === 0 ? backupDatabase : copyStores)(source, join(folder, name))),
    compactDatabase(other),
  ]);
  expect(readdirSync(folder).sort()).toEqual([...names, 'other.db'].sort());
});

it('of another machine, whose locks may not be seen, what was written to within the last hour stays', async () => {
  const source = makeStoreFile(join(freshFolder(), 'store.db'));
  const folder = freshFolder();
  const [young, old, before] = [
    'sds-partial-00000000-0123456789ab',
    'sds-partial-00000000-ba9876543210',
    'sds-partial-00000000-77-ba9876543210',
  ];
  const files = [`${young}.db`, `${young}.lock`, `${old}.db`, `${old}.db-wal`, `${old}.lock`, `${before}.db`];
  const hours = (count: number) => Date.now() / 1000 - count * 3600;
  for (const name of [...files, 'sds-partial-of-somebody-else.db']) {
    writeFileSync(join(folder, name), '');
    utimesSync(join(folder, name), hours(2), hours(2));
  }
  // its lock is older than what it writes to
  utimesSync(join(folder, `${young}.db`), hours(0.9), hours(0.9));
  await backupDatabase(source, join(folder, 'backup.db'));
  expect(readdirSync(folder).sort()).toEqual(
    ['backup.db', 'sds-partial-of-somebody-else.db', `${young}.db`, `${young}.lock`].sort(),
  );
});
