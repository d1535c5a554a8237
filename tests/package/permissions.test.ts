/** Under Node's permission model: exactly the flags that docs/surroundings.md names are enough, for providers and for every operation. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { rowsOf } from '../support/files.ts';
import { installed, nodes, place, resultOf, runNode } from './a-fresh-machine.ts';

const program = `
import * as operations from 'sds-persistence-worker';
const { SDS_DesktopPersistenceProvider, backupDatabase, compactDatabase, copyStores, describeDatabase, restoreDatabase, verifyDatabase } = operations;
const [, , data] = process.argv;
const at = (name) => data + '/' + name;
const outcomes = {};
const note = async (name, run) => { outcomes[name] = await run().then(() => 'done', (error) => error.code + ': ' + error.message + ' ' + String(error.cause)); };
const provider = new SDS_DesktopPersistenceProvider(at('notes.db'), 'notes');
for (let clock = 1; clock <= 1000; clock++) provider.appendPatch(new Uint8Array(1000).fill(clock), clock).catch(() => {});
await note('saveSnapshot', () => provider.saveSnapshot(new Uint8Array(3_000_000), 1000));
await note('loadPatchesSince', () => provider.loadPatchesSince(0));
// a lock keeps the worker from committing for longer than it takes to ask whether the worker lives
const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
const locker = new DatabaseSync(at('notes.db'));
locker.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
provider.appendPatch(new Uint8Array(1), 1001).catch(() => {});
outcomes.committedBehindALock = provider.flushSync(400);
locker.exec('ROLLBACK');
locker.close();
outcomes.flushSync = provider.flushSync();
await note('backup', () => provider.backup(at('backup.db')));
await note('close', () => provider.close());
await note('describeDatabase', () => describeDatabase(at('notes.db')));
await note('verifyDatabase', () => verifyDatabase(at('notes.db')));
await note('compactDatabase', () => compactDatabase(at('notes.db')));
await note('backupDatabase', () => backupDatabase(at('notes.db'), at('backup.db'), { Overwrite: true }));
await note('restoreDatabase', () => restoreDatabase(at('backup.db'), at('restored.db')));
await note('copyStores', () => copyStores(at('notes.db'), at('copied.db')));
console.log(JSON.stringify(outcomes));
`;

const all = [
  'saveSnapshot',
  'loadPatchesSince',
  'backup',
  'close',
  'describeDatabase',
  'verifyDatabase',
  'compactDatabase',
  'backupDatabase',
  'restoreDatabase',
  'copyStores',
];

/** Those of old Nodes also have the SQLite that holds the lock here; the package needs no switch for its own. */
const switches: Record<string, string[]> = {
  '22.5': ['--experimental-permission', '--no-warnings', '--experimental-sqlite'],
  '22.12': ['--experimental-permission', '--no-warnings', '--experimental-sqlite'],
  '24': ['--permission', '--disable-warning=PERM0006'],
  '26': ['--permission', '--disable-warning=PERM0006'],
};

describe.each(Object.entries(nodes))('on Node %s', (version, node) => {
  it('reading the program and the package, reading and writing the data, and workers are enough for all that there is', async () => {
    const folder = await installed();
    const data = join(folder, 'data');
    mkdirSync(data);
    const main = place(folder, 'main.mjs', program);
    const flags = [
      ...(switches[version] ?? []),
      '--allow-worker',
      `--allow-fs-read=${main}`,
      `--allow-fs-read=${join(folder, 'package.json')}`,
      `--allow-fs-read=${join(folder, 'node_modules/*')}`,
      `--allow-fs-read=${join(data, '*')}`,
      `--allow-fs-write=${join(data, '*')}`,
    ];
    const outcomes = resultOf(await runNode([...flags, main, data], { cwd: folder, node }), main);
    expect(outcomes).toEqual({
      ...Object.fromEntries(all.map((name) => [name, 'done'])),
      committedBehindALock: false,
      flushSync: true,
    });
    for (const name of ['notes.db', 'backup.db', 'restored.db', 'copied.db']) {
      expect(rowsOf(join(data, name)).patches, name).toHaveLength(1001);
    }
  });
});
