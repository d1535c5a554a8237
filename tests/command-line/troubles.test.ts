/** Every command on everything that is not a sound file with an ordinary name: an answer, never a crash, a hang or a changed file. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Ended, run } from '../package/a-fresh-machine.ts';
import { command, type Document, documentOf } from '../support/command-line.ts';
import { freshFolder, rowsOf } from '../support/files.ts';
import { bytesIn, makeStoreFile } from '../support/store-files.ts';

const commands: Record<string, (path: string) => string[]> = {
  info: (path) => ['info', path],
  verify: (path) => ['verify', path],
  backup: (path) => ['backup', path, 'target.db'],
  restore: (path) => ['restore', path, 'target.db'],
  compact: (path) => ['compact', path],
  copy: (path) => ['copy', path, 'copied.db'],
  watch: (path) => ['watch', '--count', '1', path],
};
const all = Object.keys(commands);
const targets = ['target.db', 'copied.db'];

async function codeOf(name: string, path: string, cwd: string): Promise<string> {
  const { exitCode, Ok, Results } = await documentOf((commands[name] as (path: string) => string[])(path), { cwd });
  expect(exitCode).toBe(Ok ? 0 : 1);
  const [first] = Results;
  if (first?.Error !== undefined) {
    // a sentence that says what is wrong, and no name of a function
    expect(first.Error.Message).toMatch(/^[a-z'].{15,}/);
    expect(first.Error.Message).not.toMatch(/Database \(|undefined/);
    return first.Error.Code;
  }
  return Ok ? 'fine' : 'found';
}

/** What each command answers to something, which must be left as it is. */
async function answers(make: (path: string) => void, path = 'file.db'): Promise<Record<string, string>> {
  const codes: Record<string, string> = {};
  for (const name of all) {
    const cwd = freshFolder();
    make(join(cwd, path));
    const before = bytesIn(cwd);
    codes[name] = await codeOf(name, path, cwd);
    const { made, after } = bytesAndTargets(cwd);
    expect(after, name).toEqual(before);
    if (codes[name] !== 'fine') expect(made, name).toEqual([]);
  }
  return codes;
}

function bytesAndTargets(cwd: string): { made: string[]; after: Record<string, string> } {
  const after = bytesIn(cwd);
  const made = targets.filter((name) => after[join(cwd, name)] !== undefined);
  for (const name of made) delete after[join(cwd, name)];
  return { made, after };
}

const each = (code: string) => Object.fromEntries(all.map((name) => [name, code]));

it('no file', async () => {
  expect(await answers(() => {})).toEqual(each('open-failed'));
});

it('a folder without a database', async () => {
  const codes = await answers((path) => mkdirSync(path));
  expect(codes).toEqual({
    ...each('no-database'),
    watch: 'open-failed',
    copy: 'open-failed',
  });
});

it('a file that is no database', async () => {
  expect(await answers((path) => writeFileSync(path, 'a text '.repeat(2000)))).toEqual(each('open-failed'));
});

it('a database of another program', async () => {
  const codes = await answers((path) => {
    const database = new DatabaseSync(path);
    database.exec('PRAGMA journal_mode = WAL; CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES (1)');
    database.close();
  });
  expect(codes).toEqual({
    ...each('schema-mismatch'),
    info: 'fine',
    verify: 'found',
    watch: 'fine',
    compact: 'schema-mismatch',
  });
});

it('a file of 0 bytes', async () => {
  const codes = await answers((path) => writeFileSync(path, ''));
  expect(codes).toEqual({ ...each('schema-mismatch'), info: 'fine', verify: 'found', watch: 'fine' });
});

it('a pipe, which would never answer', async () => {
  const cwd = freshFolder();
  await run('mkfifo', [join(cwd, 'pipe.db')], { cwd });
  for (const name of all) expect(await codeOf(name, 'pipe.db', cwd)).toBe('open-failed');
});

describe('files with names that mean something to a shell or in a URL', () => {
  const names = [
    'with a space.db',
    `with a 'quote".db`,
    'with a\nnewline.db',
    'üñí😀.db',
    '%41?mode=memory#.db',
    'file:x.db',
  ];

  /** A folder with all of them, and how they are given to a command. */
  function filesThere() {
    const cwd = freshFolder();
    for (const name of names) makeStoreFile(`${cwd}/./${name}`.replace('/./file:', '/file:'));
    return { cwd, given: names.map((name) => (name.startsWith('file:') ? `./${name}` : name)) };
  }

  it.each(['info', 'verify', 'compact'])('%s: all of them at once', async (name) => {
    const { cwd, given } = filesThere();
    const { exitCode, Results } = await documentOf([name, ...given], { cwd });
    expect({ exitCode, Results }).toMatchObject({ exitCode: 0, Results: given.map((Path) => ({ Path, Ok: true })) });
  });

  it.each(['backup', 'restore', 'copy', 'watch'])('%s: each of them', async (name) => {
    const { cwd, given } = filesThere();
    for (const path of given) {
      expect(await codeOf(name, path, cwd), path).toBe('fine');
      for (const target of targets) rmSync(join(cwd, target), { force: true });
    }
  });
});

it.each(all)('%s: a file whose name begins with a dash', async (name) => {
  const cwd = freshFolder();
  makeStoreFile(join(cwd, '-rf.db'));
  const args = (commands[name] as (path: string) => string[])('-rf.db');
  args.splice(args.indexOf('-rf.db'), 0, '--');
  expect(await command(args, { cwd })).toMatchObject({ exitCode: 0, stderr: '' });
  expect(await command(args.toSpliced(args.indexOf('--'), 1), { cwd })).toMatchObject({ exitCode: 2, stdout: '' });
});

it('a file whose name begins with a dash, as a target', async () => {
  const cwd = freshFolder();
  makeStoreFile(join(cwd, '-rf.db'));
  expect(await command(['backup', '-q', '--', '-rf.db', '-copy.db'], { cwd })).toMatchObject({
    exitCode: 0,
    stderr: '',
  });
  expect(rowsOf(join(cwd, '-copy.db'))).toEqual(rowsOf(join(cwd, '-rf.db')));
});

it("a file that another process has open, by these tests' own synchronous provider: all but compact and restore work, and leave it and its log as they are", async () => {
  const cwd = freshFolder();
  const dbPath = join(cwd, 'file.db');
  const writer = spawn(process.execPath, [join(import.meta.dirname, '../support/holding-a-store.ts'), dbPath]);
  await once(writer.stdout, 'data');
  // but the log's index, which every reader writes
  const bytes = () => Object.fromEntries(Object.entries(bytesIn(cwd)).filter(([name]) => !name.endsWith('-shm')));
  const before = bytes();
  const codes: Record<string, string> = {};
  for (const name of all.filter((other) => other !== 'restore')) codes[name] = await codeOf(name, 'file.db', cwd);
  const { restore: _, ...others } = each('fine');
  expect(codes).toEqual({ ...others, compact: 'database-busy' });
  const replaced = await command(['restore', '--overwrite', 'target.db', 'file.db'], { cwd });
  expect(replaced.stderr).toContain('close it there and try again');
  expect(bytes()).toMatchObject(before);
  expect(bytesAndTargets(cwd).made).toEqual(targets);
  const ended = once(writer, 'exit');
  writer.stdin.end();
  await ended;
  for (const name of targets) expect(rowsOf(join(cwd, name)), name).toEqual(rowsOf(dbPath));
});

it.each(['backup', 'restore'])('%s of a folder, where a file has the name of the folder to make', async (name) => {
  const cwd = freshFolder();
  mkdirSync(join(cwd, 'data/inner'), { recursive: true });
  makeStoreFile(join(cwd, 'data/one.db'));
  makeStoreFile(join(cwd, 'data/inner/two.db'));
  writeFileSync(join(cwd, 'taken'), 'a file');
  mkdirSync(join(cwd, 'half'));
  writeFileSync(join(cwd, 'half/inner'), 'a file');
  const before = bytesIn(cwd);
  const refused = await documentOf([name, '--recursive', 'data', 'taken'], { cwd });
  expect(refused).toMatchObject({ exitCode: 1, Ok: false, Results: failures(['taken/inner', 'taken']) });
  const { exitCode, stdout, stderr } = await command([name, 'data', 'taken'], { cwd });
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
  expect(stderr).toMatch(
    /^error: 'taken': this folder can not be made: a file is in its place, .*; name another .*\n$/,
  );
  expect(bytesIn(cwd)).toEqual(before);
  // what has a place to go to is done
  const { Results } = await documentOf([name, '--recursive', 'data', 'half'], { cwd });
  expect(Results).toMatchObject([...failures(['half/inner']), { Path: 'data/one.db', Ok: true }]);
  expect(rowsOf(join(cwd, 'half/one.db'))).toEqual(rowsOf(join(cwd, 'data/one.db')));

  function failures(paths: string[]) {
    return paths.map((Path) => ({ Path, Ok: false, Error: { Code: 'folder-not-made' } }));
  }
});

it.each(['backup', 'restore', 'copy'])(
  '%s: what is in the way is named, and the option as it is typed here',
  async (name) => {
    const cwd = freshFolder();
    for (const file of ['file.db', 'target.db']) makeStoreFile(join(cwd, file));
    const { exitCode, stderr } = await command([name, 'file.db', 'target.db'], { cwd });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /^error: 'file\.db': '[^']*\/target\.db': .+ is there already; .+: --overwrite replaces it\n$/,
    );
  },
);

describe('without rights', () => {
  const isRoot = process.getuid?.() === 0;
  const nobody = 65_534;

  /** As a user who may read the package, and has no rights here. */
  async function asNobody(args: string[], cwd: string): Promise<Ended> {
    chmodSync(cwd, 0o755);
    const bin = join(import.meta.dirname, '../../dist/bin.js');
    if (!isRoot) return run(process.execPath, [bin, ...args], { cwd });
    const inner = `process.setgid(${nobody}); process.setuid(${nobody}); process.argv.splice(1, 1, ${JSON.stringify(bin)}); await import(${JSON.stringify(bin)});`;
    const program = join(freshFolder(), 'as-nobody.mjs');
    writeFileSync(program, inner);
    return run(
      process.execPath,
      [program, 'x', ...args].filter((arg) => arg !== 'x'),
      { cwd },
    );
  }

  /** Without any for others than root; with all of them again when the test has ended, so that it can be removed. */
  function withoutRights(folder: string, mode = 0o000): string {
    onTestFinished(() => chmodSync(folder, 0o755));
    chmodSync(folder, mode);
    return folder;
  }

  it.each(all)('%s: a file that may not be read', async (name) => {
    const cwd = freshFolder();
    makeStoreFile(join(cwd, 'file.db'));
    chmodSync(join(cwd, 'file.db'), 0o000);
    const before = isRoot ? bytesIn(cwd) : {};
    const { exitCode, stderr } = await asNobody((commands[name] as (path: string) => string[])('file.db'), cwd);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: 'file\.db': .+EACCES.+/);
    if (isRoot) expect(bytesIn(cwd)).toEqual(before);
  });

  it('a file and folder that may only be read: info and verify work, what has to write is refused', async () => {
    const cwd = freshFolder();
    makeStoreFile(join(cwd, 'file.db'));
    chmodSync(join(cwd, 'file.db'), 0o444);
    const before = bytesIn(cwd);
    for (const name of all) {
      chmodSync(cwd, 0o555);
      const { exitCode, stderr } = await asNobody((commands[name] as (path: string) => string[])('file.db'), cwd);
      const looks = ['info', 'verify', 'watch'].includes(name);
      if (isRoot) expect(exitCode, `${name}: ${stderr}`).toBe(looks ? 0 : 1);
      if (!looks) expect(stderr, name).toMatch(/EACCES/);
    }
    expect(bytesIn(cwd)).toEqual(before);
    chmodSync(cwd, 0o755);
  });

  it.each(all)('%s: a file in a folder that may not be entered', async (name) => {
    const cwd = freshFolder();
    mkdirSync(join(cwd, 'closed'));
    makeStoreFile(join(cwd, 'closed/file.db'));
    withoutRights(join(cwd, 'closed'));
    const [verb = '', ...args] = (commands[name] as (path: string) => string[])('closed/file.db');
    const { exitCode, stdout, stderr } = await asNobody([verb, '--json', ...args], cwd);
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
    const { Results } = JSON.parse(stdout) as Document;
    expect(Results).toMatchObject([{ Path: 'closed/file.db', Ok: false, Error: { Code: 'read-only' } }]);
  });

  it.each(['info', 'verify', 'backup', 'restore', 'compact'])('%s: a folder that may not be listed', async (name) => {
    const cwd = freshFolder();
    mkdirSync(join(cwd, 'closed'));
    makeStoreFile(join(cwd, 'closed/file.db'));
    withoutRights(join(cwd, 'closed'));
    const args = (commands[name] as (path: string) => string[])('closed');
    const { exitCode, stdout, stderr } = await asNobody(args, cwd);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(/^error: 'closed': this folder can not be listed: the rights .*; change them, .*\n$/);
    const inDocument = await asNobody([name, '--json', ...args.slice(1)], cwd);
    expect(inDocument).toMatchObject({ exitCode: 1, stderr: '' });
    const { Results } = JSON.parse(inDocument.stdout) as Document;
    expect(Results).toMatchObject([{ Path: 'closed', Ok: false, Error: { Code: 'folder-unreadable' } }]);
  });

  it('a backup into a folder that may be written but not listed is refused, and leaves nothing there', async () => {
    const cwd = freshFolder();
    makeStoreFile(join(cwd, 'file.db'));
    const folder = join(cwd, 'unlisted');
    mkdirSync(folder);
    if (isRoot) chownSync(folder, nobody, nobody);
    withoutRights(folder, 0o300);
    const { exitCode, stderr } = await asNobody(['backup', 'file.db', 'unlisted/backup.db'], cwd);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/EACCES/);
    chmodSync(folder, 0o755);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('a folder within a folder that may not be listed does not keep the others from being looked at', async () => {
    const cwd = freshFolder();
    for (const folder of ['a', 'closed', 'z']) {
      mkdirSync(join(cwd, 'data', folder), { recursive: true });
      makeStoreFile(join(cwd, 'data', folder, 'file.db'));
    }
    withoutRights(join(cwd, 'data/closed'));
    const { exitCode, stdout, stderr } = await asNobody(['verify', '--json', '--recursive', 'data'], cwd);
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
    expect((JSON.parse(stdout) as Document).Results).toMatchObject([
      { Path: 'data/closed', Ok: false, Error: { Code: 'folder-unreadable' } },
      { Path: 'data/a/file.db', Ok: true },
      { Path: 'data/z/file.db', Ok: true },
    ]);
  });

  it.each([['verify'], ['backup', 'saved']])(
    '%s: a folder within one that may be listed, but not entered, is told',
    async (name, ...target) => {
      const cwd = freshFolder();
      mkdirSync(join(cwd, 'data/closed/within'), { recursive: true });
      makeStoreFile(join(cwd, 'data/file.db'));
      makeStoreFile(join(cwd, 'data/closed/within/file.db'));
      if (isRoot) chownSync(cwd, nobody, nobody);
      withoutRights(join(cwd, 'data/closed'), 0o444);
      const { exitCode, stdout } = await asNobody([name, '--json', '--recursive', 'data', ...target], cwd);
      expect((JSON.parse(stdout) as Document).Results).toMatchObject([
        { Path: 'data/closed/within', Ok: false, Error: { Code: 'folder-unreadable' } },
        { Path: 'data/file.db', Ok: true },
      ]);
      expect(exitCode).toBe(1);
    },
  );

  it('a backup into a folder that may not be made', async () => {
    const cwd = freshFolder();
    for (const folder of ['data', 'closed']) mkdirSync(join(cwd, folder));
    makeStoreFile(join(cwd, 'data/file.db'));
    withoutRights(join(cwd, 'closed'), 0o555);
    const { exitCode, stdout, stderr } = await asNobody(['backup', '--json', 'data', 'closed/saved'], cwd);
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
    expect((JSON.parse(stdout) as Document).Results).toMatchObject([
      { Path: 'closed/saved', Ok: false, Error: { Code: 'folder-not-made' } },
    ]);
  });
});

it('a symbolic link is followed, and stays one', async () => {
  const cwd = freshFolder();
  makeStoreFile(join(cwd, 'file.db'));
  symlinkSync('file.db', join(cwd, 'link.db'));
  for (const name of all) {
    if (name === 'restore') continue; // into the target that is there by then
    expect(await codeOf(name, 'link.db', cwd), name).toBe('fine');
  }
});
