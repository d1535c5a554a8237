/** Every command on everything that is not a sound file with an ordinary name: an answer, never a crash, a hang or a changed file. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { run } from '../package/a-fresh-machine.ts';
import { command, documentOf } from '../support/command-line.ts';
import { freshFolder, rowsOf } from '../support/files.ts';
import { bytesIn, makeStoreFile } from '../support/store-files.ts';

const commands: Record<string, (path: string) => string[]> = {
  info: (path) => ['info', path],
  verify: (path) => ['verify', path],
  backup: (path) => ['backup', path, 'target.db'],
  restore: (path) => ['restore', path, 'target.db'],
  compact: (path) => ['compact', path],
  copy: (path) => ['copy', path, 'target.db'],
  watch: (path) => ['watch', '--count', '1', path],
};
const all = Object.keys(commands);

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
    const { [join(cwd, 'target.db')]: made, ...after } = bytesIn(cwd);
    expect(after, name).toEqual(before);
    if (codes[name] !== 'fine') expect(made, name).toBeUndefined();
  }
  return codes;
}

const each = (code: string) => Object.fromEntries(all.map((name) => [name, code]));

it('no file', async () => {
  expect(await answers(() => {})).toEqual(each('open-failed'));
});

it('a folder without a database', async () => {
  const codes = await answers((path) => mkdirSync(path));
  expect(codes).toEqual({
    ...each('stopped'),
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

it.each(['with a space.db', `with a 'quote".db`, 'with a\nnewline.db', 'üñí😀.db', '%41?mode=memory#.db', 'file:x.db'])(
  'a file with the name %j',
  async (path) => {
    for (const name of all) {
      const cwd = freshFolder();
      makeStoreFile(`${cwd}/./${path}`.replace('/./file:', '/file:'));
      const given = path.startsWith('file:') ? `./${path}` : path;
      expect(await codeOf(name, given, cwd), name).toBe('fine');
    }
  },
);

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

it('a file that the synchronous provider has open: all but compact and restore work, and leave it as it is', async () => {
  const cwd = freshFolder();
  const dbPath = join(cwd, 'file.db');
  const writer = spawn(process.execPath, [join(import.meta.dirname, '../support/holding-a-store.ts'), dbPath]);
  await once(writer.stdout, 'data');
  // this process must not read a file by itself that is open in it
  const before = bytesIn(cwd);
  const codes: Record<string, string> = {};
  for (const name of all.filter((other) => other !== 'restore')) codes[name] = await codeOf(name, 'file.db', cwd);
  const { restore: _, ...others } = each('fine');
  expect(codes).toEqual({ ...others, compact: 'database-busy', copy: 'file-exists' });
  const replaced = await command(['restore', '--overwrite', 'target.db', 'file.db'], { cwd });
  expect(replaced.stderr).toContain('close it there and try again');
  const { [join(cwd, 'target.db')]: made, ...after } = bytesIn(cwd);
  expect(after).toEqual(before);
  expect(made).toBeDefined();
  const ended = once(writer, 'exit');
  writer.stdin.end();
  await ended;
  expect(rowsOf(join(cwd, 'target.db'))).toEqual(rowsOf(dbPath));
});

describe('without rights', () => {
  const isRoot = process.getuid?.() === 0;
  const nobody = 65_534;

  /** As a user who may read the package, and has no rights here. */
  async function asNobody(args: string[], cwd: string): Promise<{ exitCode: number | null; stderr: string }> {
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

  it.each(all)('%s: a file that may not be read', async (name) => {
    const cwd = freshFolder();
    makeStoreFile(join(cwd, 'file.db'));
    chmodSync(join(cwd, 'file.db'), 0o000);
    const before = isRoot ? bytesIn(cwd) : {};
    const { exitCode, stderr } = await asNobody((commands[name] as (path: string) => string[])('file.db'), cwd);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: 'file\.db': .+/);
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
    }
    expect(bytesIn(cwd)).toEqual(before);
    chmodSync(cwd, 0o755);
  });
});

it('a symbolic link is followed, and stays one', async () => {
  const cwd = freshFolder();
  makeStoreFile(join(cwd, 'file.db'));
  symlinkSync('file.db', join(cwd, 'link.db'));
  for (const name of all) {
    if (name === 'restore' || name === 'copy') continue;
    expect(await codeOf(name, 'link.db', cwd), name).toBe('fine');
  }
});
