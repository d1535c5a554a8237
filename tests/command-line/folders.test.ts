/** A folder of a hundred files; what happens on a terminal, without one, and when it is stopped. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { asSomebody } from '../support/as-somebody.ts';
import { command, type Document, documentOf } from '../support/command-line.ts';
import { filesBeside, freshFolder, rowsOf } from '../support/files.ts';
import { canMount } from '../support/small-disk.ts';
import { bytesIn, makeStoreFile } from '../support/store-files.ts';

it('a hundred files are described and verified; one that is damaged is told, and the others are done', async () => {
  const cwd = freshFolder();
  const folder = join(cwd, 'all');
  mkdirSync(folder);
  const first = makeStoreFile(join(cwd, 'first.db'));
  for (let i = 0; i < 99; i++) copyFileSync(first, join(folder, `${i}.db`));
  writeFileSync(join(folder, 'damaged.db'), 'SQLite format 3\0 and no more');
  writeFileSync(join(folder, 'readme.txt'), 'no database');
  const before = bytesIn(folder);
  const info = await command(['info', 'all'], { cwd });
  expect(info.stdout.split('\n').at(-2)).toBe('99 files, 4.1 MB, 5,940 patches');
  expect(info.stderr).toBe(
    "error: 'all/damaged.db': this is not an SQLite database (file is not a database); name another file\n",
  );
  const verified = await documentOf(['verify', 'all'], { cwd });
  expect(verified.Results.filter(({ Ok }) => Ok)).toHaveLength(99);
  expect(verified.exitCode).toBe(1);
  expect(bytesIn(folder)).toEqual(before);
});

it('all files of a folder are backed up, and one that fails does not keep the others from it', async () => {
  const cwd = freshFolder();
  mkdirSync(join(cwd, 'all'));
  for (let i = 0; i < 50; i++) makeStoreFile(join(cwd, 'all', `${i}.db`));
  writeFileSync(join(cwd, 'all', '7.db'), 'no database');
  const { Results, exitCode } = await documentOf(['backup', 'all', 'saved'], { cwd });
  expect(exitCode).toBe(1);
  expect(Results.filter(({ Ok }) => Ok)).toHaveLength(49);
  expect(readdirSync(join(cwd, 'saved'))).toHaveLength(49);
});

it('each folder that is named has a database in it: one without is told, and does not keep the others from being done', async () => {
  const cwd = freshFolder();
  for (const folder of ['full', 'not-mounted', 'empty']) mkdirSync(join(cwd, folder));
  makeStoreFile(join(cwd, 'full/a.db'));
  const { exitCode, stderr } = await command(['verify', '--quiet', 'full', 'not-mounted'], { cwd });
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^error: 'not-mounted': there is no database in this folder: .*\n$/);
  const { Results } = await documentOf(['info', 'empty', 'full/a.db', 'not-mounted', 'full'], { cwd });
  const found = Results.map(({ Path, Error: failure }) => [Path, failure?.Code]);
  expect(found).toEqual([
    ['empty', 'no-database'],
    ['not-mounted', 'no-database'],
    ['full/a.db', undefined],
    ['full/a.db', undefined],
  ]);
});

it('a file that can not be read, or a link to what can not be looked at, may be a database, whatever its name: it is told; a link that leads nowhere is none', async ({
  skip,
}) => {
  const cwd = freshFolder();
  chmodSync(cwd, 0o777);
  mkdirSync(join(cwd, 'all'));
  makeStoreFile(join(cwd, 'all/one.db'));
  chmodSync(makeStoreFile(join(cwd, 'all/notes')), 0o600);
  writeFileSync(join(cwd, 'all/notes-wal'), '', { mode: 0o600 });
  symlinkSync('nothing', join(cwd, 'all/to-nothing'));
  symlinkSync('in-a-circle', join(cwd, 'all/in-a-circle'));
  mkdirSync(join(cwd, 'closed'), { mode: 0o700 });
  symlinkSync('../closed/notes', join(cwd, 'all/to-what-is-closed'));
  chmodSync(join(cwd, 'all'), 0o755);
  const bin = JSON.stringify(join(import.meta.dirname, '../../dist/bin.js'));
  const told = asSomebody(`const { spawnSync } = process.getBuiltinModule('node:child_process');
    const backup = [${bin}, 'backup', '--json', 'all', 'saved/'];
    console.log(spawnSync(process.execPath, backup, { cwd: ${JSON.stringify(cwd)}, encoding: 'utf8' }).stdout);`);
  if (told === undefined) return skip('only root can be another user');
  const { Results } = JSON.parse(told) as Document;
  expect(Results.map(({ Path, Ok }) => [Path, Ok])).toEqual([
    ['all/notes', false],
    ['all/one.db', true],
    ['all/to-what-is-closed', false],
  ]);
  for (const at of [0, 2]) expect(Results[at]?.Error?.Message).toMatch(/EACCES/);
});

it.runIf(process.platform === 'linux')(
  'a database whose name is no UTF-8 is told, and what to do, whatever its ending',
  async () => {
    const cwd = freshFolder();
    mkdirSync(join(cwd, 'all'));
    const notUtf8 = (name: string) => Buffer.concat([Buffer.from(join(cwd, 'all/')), Buffer.from(name, 'latin1')]);
    const first = makeStoreFile(join(cwd, 'all/first'));
    copyFileSync(first, notUtf8('grün'));
    for (const args of [
      ['info', 'all'],
      ['verify', 'all'],
      ['backup', 'all', 'saved'],
    ]) {
      const { Results, exitCode } = await documentOf(args, { cwd });
      expect(exitCode).toBe(1);
      expect(Results.map(({ Path, Ok, Error: failure }) => [Path, Ok, failure?.Code])).toEqual([
        ['all/first', true, undefined],
        ['all/gr\ufffdn', false, 'open-failed'],
      ]);
      expect(Results[1]?.Error?.Message).toMatch(/its name is no UTF-8 \(ENOENT: .*\); .* rename the file$/);
    }
  },
);

it('folders within a folder only if asked for', async () => {
  const cwd = freshFolder();
  mkdirSync(join(cwd, 'a/b'), { recursive: true });
  makeStoreFile(join(cwd, 'a/one.db'));
  makeStoreFile(join(cwd, 'a/b/two.without.ending'));
  expect((await documentOf(['info', 'a'], { cwd })).Results).toHaveLength(1);
  expect((await documentOf(['backup', '--recursive', 'a', 'saved'], { cwd })).Results).toHaveLength(2);
  expect(existsSync(join(cwd, 'saved/b/two.without.ending'))).toBe(true);
});

it('backups within the folder that is backed up are not backed up again', async () => {
  const cwd = freshFolder();
  mkdirSync(join(cwd, 'data/more'), { recursive: true });
  makeStoreFile(join(cwd, 'data/one.db'));
  makeStoreFile(join(cwd, 'data/more/two.db'));
  symlinkSync('data', join(cwd, 'link'));
  for (const target of ['data/saved', 'data/saved', 'link/saved']) {
    const { Results } = await documentOf(['backup', '--recursive', '--overwrite', 'data', target], { cwd });
    expect(Results.map(({ Path, Ok }) => [Path, Ok])).toEqual([
      ['data/more/two.db', true],
      ['data/one.db', true],
    ]);
  }
  expect(readdirSync(join(cwd, 'data/saved')).sort()).toEqual(['more', 'one.db']);
});

it.runIf(canMount)('neither are they through another mount of the folder that they are in', async () => {
  const cwd = freshFolder();
  for (const folder of ['data/saved', 'mounted']) mkdirSync(join(cwd, folder), { recursive: true });
  makeStoreFile(join(cwd, 'data/one.db'));
  execFileSync('mount', ['--bind', join(cwd, 'data/saved'), join(cwd, 'mounted')], { stdio: 'pipe' });
  onTestFinished(() => void execFileSync('umount', ['-l', join(cwd, 'mounted')]));
  for (let time = 1; time <= 2; time++) {
    const { Results } = await documentOf(['backup', '--recursive', '--overwrite', 'data', 'mounted'], { cwd });
    expect(Results.map(({ Path, Ok }) => [Path, Ok])).toEqual([['data/one.db', true]]);
  }
});

it.each(['backup', 'restore', 'copy'])(
  '%s into what ends with a slash means a folder: one that is not there is an error, and no file gets its name',
  async (name) => {
    const cwd = freshFolder();
    makeStoreFile(join(cwd, 'one.db'));
    const { exitCode, stderr } = await command([name, 'one.db', 'saved/'], { cwd });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(name === 'copy' ? /name the file in it/ : /there is no such file or folder/);
    expect(filesBeside(join(cwd, 'one.db'))).toEqual(['one.db']);
    if (name === 'copy') return;
    mkdirSync(join(cwd, 'saved'));
    expect((await command([name, 'one.db', 'saved/'], { cwd })).exitCode).toBe(0);
    expect(rowsOf(join(cwd, 'saved/one.db'))).toEqual(rowsOf(join(cwd, 'one.db')));
  },
);

it("a folder behind a link, and '..', is the one to which the system follows that", async () => {
  const root = freshFolder();
  const cwd = join(root, 'app');
  for (const folder of ['app/data', 'app/saved', 'release/run', 'release/data']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  symlinkSync('../release/run', join(cwd, 'current'));
  makeStoreFile(join(cwd, 'data/notes.db'));
  copyFileSync(makeStoreFile(join(cwd, 'saved/notes.db'), { patches: 3 }), join(root, 'release/data/named.db'));
  const before = bytesIn(cwd);
  const infos = await documentOf(['info', 'current/../data'], { cwd });
  expect(infos.Results).toMatchObject([{ Path: 'current/../data/named.db', Ok: true }]);
  for (const args of [
    ['restore', 'saved', 'current/../data'],
    ['restore', '--overwrite', 'saved/notes.db', 'current/../data/'],
    ['backup', 'current/../data', 'current/../copies/of-today'],
  ]) {
    const { stderr, exitCode } = await command(args, { cwd });
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
  }
  expect(bytesIn(cwd)).toEqual(before);
  expect(readdirSync(join(root, 'release/data'))).toEqual(['named.db', 'notes.db']);
  expect(readdirSync(join(root, 'release/copies/of-today'))).toEqual(['named.db', 'notes.db']);
});

it('verify --quiet tells a line for each file with findings, and nothing of the others', async () => {
  const cwd = freshFolder();
  mkdirSync(join(cwd, 'all'));
  makeStoreFile(join(cwd, 'all/a.db'));
  makeStoreFile(join(cwd, 'all/b.db'), {
    sql: "DELETE FROM patches WHERE clock = 15; INSERT INTO blobs VALUES ('v', x'00', 0)",
  });
  writeFileSync(join(cwd, 'all/c.db'), '');
  const { exitCode, stdout, stderr } = await command(['verify', '--quiet', 'all'], { cwd });
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
  expect(stderr.split('\n')).toEqual([
    expect.stringMatching(/^error: 'all\/b\.db': 2 findings: patch-gap, reference-count; /),
    expect.stringMatching(/^error: 'all\/c\.db': 1 finding: empty-file; /),
    '',
  ]);
});

it('a line for each of many files, in columns, also with what could be given back', async () => {
  const cwd = freshFolder();
  mkdirSync(join(cwd, 'all'));
  makeStoreFile(join(cwd, 'all/a.db'));
  makeStoreFile(join(cwd, 'all/pruned.db'), { patches: 1000, sql: 'DELETE FROM patches' });
  const lines = (await command(['info', 'all'], { cwd })).stdout.split('\n');
  expect(lines[0]).toBe('all/a.db           41 kB    0 bytes free    0 bytes log  2 stores, 60 patches, 3 values');
  expect(lines[1]).toMatch(
    /^all\/pruned\.db {5}\d{3} kB {5}\d{3} kB free {4}0 bytes log {2}1 store, 0 patches, 3 values$/,
  );
});

it('a folder is copied into no URL, and no folder gets the password in its name', async () => {
  const cwd = freshFolder();
  mkdirSync(join(cwd, 'all'));
  makeStoreFile(join(cwd, 'all/a.db'));
  for (const target of [
    'postgres://anna:secret@db/notes',
    'mysql://anna:secret@db/notes',
    'file://anna:secret@db/notes',
  ]) {
    for (const command of ['backup', 'restore']) {
      const { exitCode, ...told } = await documentOf([command, 'all', target], { cwd });
      expect(exitCode).toBe(1);
      expect(told.Results).toMatchObject([{ Path: 'all', Error: { Code: 'folder-not-made' } }]);
      expect(JSON.stringify(told)).not.toContain('secret');
    }
  }
  expect(readdirSync(cwd)).toEqual(['all']);
});

it.runIf(process.platform !== 'win32')('a folder that is there is one, also with :// in its name', async () => {
  const cwd = freshFolder();
  for (const folder of ['all', 'notes:/2026']) mkdirSync(join(cwd, folder), { recursive: true });
  makeStoreFile(join(cwd, 'all/a.db'));
  const { Results } = await documentOf(['backup', 'all', 'notes://2026'], { cwd });
  expect(Results).toMatchObject([{ Path: 'all/a.db', Ok: true }]);
  expect(readdirSync(join(cwd, 'notes:/2026'))).toEqual(['a.db']);
});

it('a folder is copied into no link that leads nowhere: what to do is told', async () => {
  const cwd = freshFolder();
  mkdirSync(join(cwd, 'all'));
  makeStoreFile(join(cwd, 'all/a.db'));
  symlinkSync('nothing', join(cwd, 'saved'));
  const { stderr, exitCode } = await command(['backup', 'all', 'saved'], { cwd });
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^error: 'saved': this folder can not be made: .* leads nowhere; name another folder\n$/);
});

it('links to databases stand for them; one that leads nowhere is told, and does not keep the others from being done', async () => {
  const cwd = freshFolder();
  for (const folder of ['all', 'elsewhere']) mkdirSync(join(cwd, folder));
  makeStoreFile(join(cwd, 'elsewhere/notes'));
  writeFileSync(join(cwd, 'elsewhere/text'), 'no database');
  const links = {
    'linked.db': '../elsewhere/notes',
    'without an ending': '../elsewhere/notes',
    text: '../elsewhere/text',
    'gone.db': '../elsewhere/gone',
    gone: '../elsewhere/gone',
    'circle.db': 'circle.db',
    'folder.db': '../elsewhere',
    above: '..',
  };
  for (const [name, leadsTo] of Object.entries(links)) symlinkSync(leadsTo, join(cwd, 'all', name));
  const before = bytesIn(cwd);
  const done = ['linked.db', 'without an ending'];
  for (const args of [
    ['info', 'all'],
    ['backup', '--recursive', 'all', 'saved'],
  ]) {
    const { exitCode, Results } = await documentOf(args, { cwd });
    expect(exitCode).toBe(1);
    expect(Results).toMatchObject([
      { Path: 'all/circle.db', Error: { Code: 'open-failed' } },
      { Path: 'all/gone.db', Error: { Code: 'open-failed' } },
      ...done.map((name) => ({ Path: `all/${name}`, Ok: true })),
    ]);
  }
  expect(readdirSync(join(cwd, 'saved')).sort()).toEqual(done);
  for (const name of done) {
    const saved = join(cwd, 'saved', name);
    expect(lstatSync(saved).isFile()).toBe(true);
    expect(rowsOf(saved)).toEqual(rowsOf(join(cwd, 'elsewhere/notes')));
  }
  expect(bytesIn(cwd)).toMatchObject(before);
});

it('stopped by a signal between two files: exit code 0 only if all of them were done', async () => {
  const cwd = freshFolder();
  mkdirSync(join(cwd, 'all'));
  // so little is in them that the signal comes too late for the file that is looked at
  const first = makeStoreFile(join(cwd, 'first.db'), { patches: 0, values: 0 });
  for (let i = 0; i < 200; i++) copyFileSync(first, join(cwd, 'all', `${i}.db`));
  const bin = join(import.meta.dirname, '../../dist/bin.js');
  const child = spawn(process.execPath, [bin, 'info', 'all'], { cwd });
  const [shown, said] = [text(child.stdout), text(child.stderr)];
  child.stdout.once('data', () => child.kill('SIGINT')); // once the first file is done
  const [code] = await once(child, 'exit');
  const done = (await shown).match(/^all\/\d+\.db /gm)?.length;
  expect(code).toBe(done === 200 ? 0 : 1);
  expect(await said).toMatch(done === 200 ? /^$/ : /^error: 'all\/\d+\.db': stopped by SIGINT\n$/);
});

it('stopped by a signal: exit code 1, a sentence, and nothing half-done', async () => {
  const cwd = freshFolder();
  makeStoreFile(join(cwd, 'large.db'), { patches: 30_000, patchBytes: 3000 });
  const bin = join(import.meta.dirname, '../../dist/bin.js');
  const child = spawn(process.execPath, [bin, 'backup', 'large.db', 'target.db'], {
    cwd,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said = text(child.stderr);
  child.stderr.once('data', () => child.kill('SIGINT')); // once it says how far it is
  const [code] = await once(child, 'exit');
  const stderr = await said;
  // it may have been done before the signal came
  if (code === 0) return expect(filesBeside(join(cwd, 'x'))).toEqual(['large.db', 'target.db']);
  expect({ code, stderr: stderr.split('\n').at(-2) }).toEqual({
    code: 1,
    stderr: "error: 'large.db': stopped by SIGINT",
  });
  expect(filesBeside(join(cwd, 'x'))).toEqual(['large.db']);
});

it('without a terminal progress is lines, and only of large files; with one it is a bar', async ({ annotate }) => {
  const cwd = freshFolder();
  makeStoreFile(join(cwd, 'large.db'), { patches: 15_000, patchBytes: 3000 });
  const { stderr, stdout } = await command(['verify', 'large.db'], { cwd });
  for (const line of stderr.split('\n').slice(0, -1)) expect(line).toMatch(/^'large\.db': [a-z ]+, \d+%$/);
  for (const control of ['\u001b', '\r']) expect(stdout).not.toContain(control);
  const bin = join(import.meta.dirname, '../../dist/bin.js');
  const terminal = spawn('script', ['-qec', `'${process.execPath}' '${bin}' backup large.db target.db`, '/dev/null'], {
    cwd,
    env: { ...process.env, TERM: 'xterm-256color' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const failed = once(terminal, 'error').then(() => 'no terminal');
  const shown = await Promise.race([text(terminal.stdout), failed]);
  if (shown === 'no terminal') return void annotate('there is no `script` here to make a terminal', 'skipped');
  expect(shown).toMatch(/█+░* +\d+%/);
  // also where the terminal says that it has 0 columns, as `script` makes it
  expect(shown).toMatch(/ of \d+ MB *\r/);
  expect(shown).toContain("'large.db' backed up to 'target.db'");
});

it('progress through rows: lines for what has many of them, none where many were pruned', async () => {
  const cwd = freshFolder();
  makeStoreFile(join(cwd, 'many.db'), { values: 100_001 });
  expect((await command(['verify', 'many.db'], { cwd })).stderr).toMatch(/^'many\.db': checking values, 100%$/m);
  makeStoreFile(join(cwd, 'patches.db'), { patches: 50_001 });
  expect((await command(['verify', 'patches.db'], { cwd })).stderr).toMatch(
    /^'patches\.db': going through rows, 100%$/m,
  );
  makeStoreFile(join(cwd, 'pruned.db'), { sql: 'UPDATE patches SET rowid = rowid + 1000000' });
  expect(await command(['verify', 'pruned.db'], { cwd })).toMatchObject({ exitCode: 0, stderr: '' });
});

it('output that nobody reads any more is no error', async () => {
  const cwd = freshFolder();
  makeStoreFile(join(cwd, 'a.db'));
  const bin = join(import.meta.dirname, '../../dist/bin.js');
  const child = spawn('sh', ['-c', `'${process.execPath}' '${bin}' watch --every 0.01 --count 50 a.db | head -n 2`], {
    cwd,
  });
  expect(await text(child.stderr)).toBe('');
});
