/** One call of the system fails within an operation: then that fails, and nothing is changed; or it does what it says. */
import { copyFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { toldUnderFaults } from '../support/faults.ts';
import { freshFolder, rowsOf } from '../support/files.ts';
import { makeKilledFile, makeStoreFile } from '../support/store-files.ts';

const literal = (text: string) => JSON.stringify(text);

it.for([
  ['compactDatabase', 'all.compactDatabase(path)'],
  ['backupDatabase over a file', 'all.backupDatabase(other, path, { Overwrite: true })'],
  ['restoreDatabase over a file', 'all.restoreDatabase(other, path, { Overwrite: true })'],
] as const)('%s, if the old log can not be removed: fails, and the file is as it was', async ([, work], { skip }) => {
  const half = "DELETE FROM patches WHERE store_id = 'tasks' AND clock < 500";
  const path = await makeKilledFile(join(freshFolder(), 'notes.db'), { patches: 900, sql: half });
  const before = join(freshFolder(), 'before.db');
  for (const end of ['', '-wal']) copyFileSync(path + end, before + end);
  const other = makeStoreFile(join(freshFolder(), 'other.db'));
  const told = await toldUnderFaults(
    `const [path, other] = [${literal(path)}, ${literal(other)}];
    faults.arm(UNLINKS, 'EACCES', 1, true);
    told.push(await outcome(${work}));`,
    'notes.db-wal',
    skip,
  );
  if (told === undefined) return;
  expect(told).toEqual([expect.stringMatching(/^read-only: .*EACCES: permission denied, unlink '.*notes.db-wal'/)]);
  expect(rowsOf(path)).toEqual(rowsOf(before));
});

it('a source that its disk can not read is named by its backup, with what to do', async ({ skip }) => {
  const path = makeStoreFile(join(freshFolder(), 'notes.db'), { patches: 900 });
  const target = join(freshFolder(), 'copy.db');
  const told = await toldUnderFaults(
    `const READS = 128;
    for (let n = 1, fired = 1; fired > 0; n++) {
      faults.arm(READS, 'EIO', n, true);
      const found = await outcome(all.backupDatabase(${literal(path)}, ${literal(target)}));
      fired = faults.disarm();
      if (fired > 0) told.push(found);
    }`,
    'notes.db',
    skip,
  );
  if (told === undefined) return;
  expect(told).toContainEqual(
    expect.stringMatching(/^io-error: .* can not be read from its disk .*; copy it with a tool/),
  );
  for (const failure of told as string[]) expect(failure).toContain(`backupDatabase ('${realpathSync(path)}'): `);
});

it('a log that can not be looked at: what is read without it is no result', async ({ skip }) => {
  const folder = freshFolder();
  const told = await toldUnderFaults(
    `const [path, folder] = [${literal(join(folder, 'notes.db'))}, ${literal(folder)}];
    await new all.SDS_DesktopPersistenceProvider(path, 's').close();
    const provider = new all.SDS_DesktopPersistenceProvider(path, 's');
    for (let clock = 1; clock <= 40; clock++) void provider.appendPatch(new Uint8Array(9), clock);
    await provider.flush();
    let name = 0;
    const patchesIn = async (copy) => (await all.describeDatabase(copy)).Stores[0]?.Patches;
    const target = () => folder + '/copy-' + ++name + '.db';
    const works = {
      backupDatabase: async (to) => (await all.backupDatabase(path, to), to),
      restoreDatabase: async (to) => (await all.restoreDatabase(path, to), to),
      'provider.backup': async (to) => (await provider.backup(to), to),
      copyStores: async (to) => (await all.copyStores(path, to), to),
      describeDatabase: async () => (await all.describeDatabase(path)).Stores[0]?.Patches,
      verifyDatabase: async () => (await all.verifyDatabase(path)).Checked.Patches,
    };
    for (const [work, run] of Object.entries(works)) for (const calls of [ACCESSES, STATS]) for (const n of [1, 2]) {
      faults.arm(calls, 'EIO', n, false);
      let found = await run(target()).catch(({ code }) => code);
      const fired = faults.disarm();
      if (typeof found === 'string' && found.startsWith(folder)) found = await patchesIn(found);
      if (fired > 0) told.push([work, found]);
    }
    await provider.close();`,
    'notes.db-wal',
    skip,
  );
  if (told === undefined) return;
  expect(told.length).toBeGreaterThan(6);
  for (const [work, found] of told as [string, unknown][]) expect([40, 'io-error'], work).toContain(found);
});

/** As a program in a folder of which `match` is a part, with a file `s.db`. */
const works = `const works = {
  backup: (folder) => all.backupDatabase(folder + '/s.db', folder + '/t.db'),
  copy: (folder) => all.copyStores(folder + '/s.db', folder + '/t.db'),
  'restore over a file': (folder) => all.restoreDatabase(folder + '/s.db', folder + '/o.db', { Overwrite: true }),
  compact: (folder) => all.compactDatabase(folder + '/c.db'),
};
const { copyFileSync, mkdirSync, readdirSync } = process.getBuiltinModule('node:fs');
const newFolder = (folder) => {
  mkdirSync(folder);
  for (const [from, to] of [[source, 's'], [other, 'o'], [loose, 'c']]) copyFileSync(from, folder + '/' + to + '.db');
  return folder;
};
const targets = { backup: 't.db', copy: 't.db', 'restore over a file': 'o.db', compact: 'c.db' };
const stateOf = (folder, work) => all.describeDatabase(folder + '/' + targets[work])
  .then(({ Stores, FreePages }) => JSON.stringify([Stores, FreePages]), ({ code }) => code);`;

function files() {
  const folder = freshFolder();
  const source = makeStoreFile(join(folder, 'source.db'));
  const other = makeStoreFile(join(folder, 'other.db'), { patches: 3 });
  const loose = makeStoreFile(join(folder, 'loose.db'), { patches: 400, sql: 'DELETE FROM patches' });
  return `const [source, other, loose, place] = ${JSON.stringify([source, other, loose, join(folder, 'faulty-')])}; ${works}`;
}

it('what fails once the result is there fails no operation; one that fails has changed nothing, or says that it has', async ({
  skip,
}) => {
  const told = await toldUnderFaults(
    `${files()}
    const states = {};
    for (const [kind, calls, error] of [['unlink', UNLINKS, 'EIO'], ['open', OPENS, 'EMFILE'], ['sync', SYNCS, 'EIO']])
      for (const [work, run] of Object.entries(works)) for (let n = 1, fired = 1; fired > 0; n++) {
        const folder = newFolder([place, kind, Object.keys(works).indexOf(work), n].join('-'));
        states[work] ??= await stateOf(folder, work);
        faults.arm(calls, error, n, false);
        const found = await outcome(run(folder));
        fired = faults.disarm();
        told.push({ what: [work, kind, n].join(' '), found, isChanged: (await stateOf(folder, work)) !== states[work] });
      }`,
    'faulty-',
    skip,
  );
  if (told === undefined) return;
  const all = told as { what: string; found: string; isChanged: boolean }[];
  const changedAndFailed = all.filter(({ found, isChanged }) => (found === 'done') !== isChanged);
  for (const { what, found } of changedAndFailed)
    expect(found, what).toMatch(/^io-error: .* the new file is there and whole, but its name may not be on the disk/);
  // that of the folder, which comes last
  expect(changedAndFailed.map(({ what }) => what.replace(/ \d+$/, ''))).toEqual([
    'backup sync',
    'copy sync',
    'restore over a file sync',
    'compact sync',
  ]);
});

it.for(['ENOLCK', 'EAGAIN'])(
  'a folder in which nothing can be locked is refused, and stays empty (%s)',
  async (error, { skip }) => {
    const told = await toldUnderFaults(
      `${files()}
    const target = place + 'target';
    mkdirSync(target);
    for (const work of ['backupDatabase', 'restoreDatabase', 'copyStores']) {
      faults.arm(LOCKS, ${literal(error)}, 1, true);
      told.push(await outcome(all[work](source, target + '/t.db')));
      told.push(faults.disarm() > 0, readdirSync(target).length);
    }`,
      'faulty-target',
      skip,
    );
    const refused = expect.stringMatching(
      /^open-failed: .* no file can be locked in this folder, .*; name one on a file/,
    );
    if (told !== undefined) expect(told).toEqual([1, 2, 3].flatMap(() => [refused, true, 0]));
  },
);

it('a backup whose file can not be locked once says so', async ({ skip }) => {
  const told = await toldUnderFaults(
    `${files()}
    for (let n = 1, fired = 1; fired > 0; n++) {
      const target = place + 'target-' + n;
      mkdirSync(target);
      faults.arm(LOCKS, 'ENOLCK', n, false);
      told.push(await outcome(all.backupDatabase(source, target + '/t.db')));
      fired = faults.disarm();
    }`,
    'faulty-target',
    skip,
  );
  if (told === undefined) return;
  const failed = told.filter((found) => found !== 'done');
  expect(failed).toContainEqual(expect.stringMatching(/the new file could not be locked \(not an error\); try again/));
  for (const found of failed) expect(found).not.toMatch(/: not an error$/);
});
