/** Readers of the output that go away, and output that finds no room: all is done all the same, with its own exit code. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it, onTestFinished } from 'vitest';
import { freshFolder } from '../support/files.ts';
import { makeStoreFile } from '../support/store-files.ts';

const bin = join(import.meta.dirname, '../../dist/bin.js');

/** Eight files, and a ninth that is none. */
function folderOfFiles(): string {
  const cwd = freshFolder();
  mkdirSync(join(cwd, 'data'));
  for (let i = 1; i <= 8; i++) makeStoreFile(join(cwd, 'data', `${i}.db`));
  return cwd;
}

/** Runs a command of which one stream is read to its first line, or not at all. */
async function unread(
  args: string[],
  { cwd, stream, lines }: { cwd: string; stream: 'stdout' | 'stderr'; lines: 0 | 1 },
): Promise<{ code: number | null; other: string }> {
  const child = spawn(process.execPath, [bin, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill());
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  let other = '';
  child[stream === 'stdout' ? 'stderr' : 'stdout'].setEncoding('utf8').on('data', (text: string) => {
    other += text;
  });
  if (lines === 0) child[stream].destroy();
  else createInterface({ input: child[stream] }).once('line', () => child[stream].destroy());
  return { code: await closed, other };
}

it.each([0, 1] as const)(
  'backup of a folder, of whose output %d lines are read, saves every file and ends with 0',
  async (lines) => {
    const cwd = folderOfFiles();
    const { code, other } = await unread(['backup', 'data', 'saved'], { cwd, stream: 'stdout', lines });
    expect({ code, other }).toEqual({ code: 0, other: '' });
    expect(readdirSync(join(cwd, 'saved'))).toHaveLength(8);
  },
);

it.each(['verify', 'info', 'backup'])(
  '%s of a folder with a file that is no database ends with 1, read or not',
  async (name) => {
    const cwd = folderOfFiles();
    writeFileSync(join(cwd, 'data', '9.db'), 'no database');
    const args = name === 'backup' ? [name, 'data', 'saved'] : [name, 'data'];
    const { code, other } = await unread(args, { cwd, stream: 'stdout', lines: 1 });
    expect(code).toBe(1);
    expect(other).toContain('9.db');
  },
);

it.each(['', ' --json'])(
  'errors that nobody reads do not keep the other files from being saved: backup%s',
  async (flag) => {
    const cwd = folderOfFiles();
    for (const name of ['0.db', '5.db']) writeFileSync(join(cwd, 'data', name), 'no database');
    const { code } = await unread(['backup', ...(flag === '' ? [] : [flag.trim()]), 'data', 'saved'], {
      cwd,
      stream: 'stderr',
      lines: 0,
    });
    expect(code).toBe(1);
    expect(readdirSync(join(cwd, 'saved'))).toHaveLength(7);
  },
);

it('wrong arguments that nobody reads end with 2', async () => {
  expect(await unread(['bakcup'], { cwd: freshFolder(), stream: 'stderr', lines: 0 })).toMatchObject({ code: 2 });
});

it.each(['watch', 'watch --json', 'watch --json --quiet'])(
  '%s, which has no end of its own, ends with 0 once nobody reads it',
  async (name) => {
    const cwd = folderOfFiles();
    const args = [...name.split(' '), '--every', '0.01', 'data/1.db'];
    expect(await unread(args, { cwd, stream: 'stdout', lines: 1 })).toEqual({ code: 0, other: '' });
  },
);

it.skipIf(!existsSync('/dev/full'))('an output that finds no room is told, after all is done', async () => {
  const cwd = folderOfFiles();
  for (const flags of [[], ['--json']]) {
    const target = `saved-${flags.length}`;
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, [bin, 'backup', ...flags, 'data', target], {
      cwd,
      stdio: ['ignore', full, 'pipe'],
    });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(1);
    expect(stderr).toBe('error: the output could not be written: ENOSPC: no space left on device, write\n');
    expect(readdirSync(join(cwd, target))).toHaveLength(8);
  }
});
