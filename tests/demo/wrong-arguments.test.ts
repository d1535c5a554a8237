/** Wrong arguments: the demo ends with 2 and one sentence that says what is wrong, and does nothing. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { filesBeside, freshFolder } from '../support/files.ts';
import { runDemo } from './demo-process.ts';

async function refusalOf(args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runDemo(args);
  expect(stdout).toBe('');
  expect(code).toBe(2);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).toMatch(/\.\n$/);
  return stderr;
}

const cases: [args: string[], words: string][] = [
  [['--wrong'], "Unknown option '--wrong'"],
  [['stray'], "Unexpected argument 'stray'"],
  [['--edits'], "Option '--edits <value>' argument missing"],
  [['--json=yes'], "Option '--json' does not take an argument"],
  [['--edits', '0'], "--edits must be an integer from 1 to 1000000, not '0'"],
  [['--edits', '1e3'], "not '1e3'"],
  [['--edits', '1000001'], "not '1000001'"],
  [['--edits', 'many'], "not 'many'"],
  [['--edits=-5'], "not '-5'"],
  [['--seed', '1.5'], "--seed must be an integer from 0 to 4294967295, not '1.5'"],
  [['--seed', ''], "not ''"],
  [['--db', ''], '--db needs the path of a file'],
  [['--trace', ''], '--trace needs the path of a file'],
  [['--trace', 'some.json.gz', '--seed', '2'], "--seed is for a made-up session and can't be combined with --trace"],
  [['--trace', 'some.json.gz', '--edits', '2'], "--edits is for a made-up session and can't be combined with --trace"],
];
for (const [args, words] of cases) {
  test(`${args.join(' ')}`, async () => {
    expect(await refusalOf(args)).toContain(words);
  });
}

test('a database that exists is not overwritten', async () => {
  const db = join(freshFolder(), 'mine.db');
  writeFileSync(db, 'precious');
  expect(await refusalOf(['--db', db])).toContain(`'${db}' exists already and is not overwritten`);
  expect(readFileSync(db, 'utf8')).toBe('precious');
  expect(filesBeside(db)).toEqual(['mine.db']);
});

test('a left-over -wal is not taken for that of a new database', async () => {
  const db = join(freshFolder(), 'mine.db');
  writeFileSync(`${db}-wal`, 'precious');
  expect(await refusalOf(['--db', db])).toContain(`'${db}-wal' exists already`);
});

test('a folder that is not there', async () => {
  const missing = join(freshFolder(), 'missing');
  expect(await refusalOf(['--db', join(missing, 'a.db')])).toContain(`--db: there is no folder '${missing}'`);
  expect(await refusalOf(['--svg', join(missing, 'a.svg')])).toContain(`--svg: there is no folder '${missing}'`);
});

test('a folder in place of the picture', async () => {
  const folder = join(freshFolder(), 'a.svg');
  mkdirSync(folder);
  expect(await refusalOf(['--svg', folder])).toContain(`--svg: '${folder}' is a folder`);
});
