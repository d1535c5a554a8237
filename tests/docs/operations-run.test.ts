/** Every command of docs/operations.md runs, in the order of the page, and has the keys that it says; what the README shows of a run is what a run shows. */
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { END, START, shown } from '../../demo/operations.ts';
import { command, documentOf } from '../support/command-line.ts';
import { freshFolder, rowsOf } from '../support/files.ts';
import { describeOnPostgresql, postgresql } from '../support/postgresql.ts';
import { makeStoreFile } from '../support/store-files.ts';

const root = join(import.meta.dirname, '../..');

const page = readFileSync(join(root, 'docs/operations.md'), 'utf8');

interface Line {
  line: string;
  env: Record<string, string>;
  args: string[];
}

/** The commands of the page, with what is set for one of them in front of it. */
const lines = [...page.matchAll(/^```sh\n([\s\S]*?)^```/gm)]
  .flatMap(([, text = '']) => text.trim().split('\n'))
  .map((line): Line => {
    const words = line.split(' ');
    const start = words.indexOf('npx');
    expect(words[start + 1], line).toBe('sds-persistence-worker');
    const env = Object.fromEntries(words.slice(0, start).map((word) => word.split('=')));
    return { line, env, args: words.slice(start + 2) };
  });
const isUrl = (word: string) => word.startsWith('postgres://');
const withUrl = lines.filter(({ args }) => args.some(isUrl));

it('the commands of the page', async () => {
  const onFiles = lines.filter((line) => !withUrl.includes(line));
  expect(onFiles.length).toBeGreaterThan(8);
  const cwd = freshFolder();
  makeStoreFile(join(cwd, 'notes.db'));
  mkdirSync(join(cwd, 'data'));
  copyFileSync(join(cwd, 'notes.db'), join(cwd, 'data', 'one.db'));
  for (const { line, env, args } of onFiles) {
    const { exitCode, stderr } = await command(args, { cwd, env });
    expect({ line, exitCode, stderr }).toEqual({ line, exitCode: 0, stderr: '' });
  }
});

it('the keys that each command has in its document', async () => {
  const section = page.slice(page.indexOf('## One document for programs'));
  const cwd = freshFolder();
  // with something for `verify` to find
  makeStoreFile(join(cwd, 'notes.db'), { sql: "INSERT INTO blobs VALUES ('a', x'00', 0)" });
  const commands = {
    info: [],
    verify: [],
    backup: ['saved.db'],
    restore: ['restored.db'],
    compact: [],
    copy: ['copied.db'],
    watch: ['--count', '1'],
  };
  for (const [name, more] of Object.entries(commands)) {
    const [, told = ''] = new RegExp(`^### \`${name}\`\n[^#]*?^\`\`\`text\n([^\`]+)^\`\`\``, 'm').exec(section) ?? [];
    // `{ Path, Stores: [{ Patches }] }`: a key without anything within it gets a 0
    const keys = JSON.parse(told.replace(/(\w+)(:?)/g, (_, key, colon) => (colon ? `"${key}":` : `"${key}":0`)));
    const { Results } = await documentOf([name, 'notes.db', ...more], { cwd });
    expect(shapeOf(Results[0]?.Result), name).toEqual(keys);
  }
});

/** The keys without what they stand for; of an array, those of its first element. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf);
  if (typeof value !== 'object' || value === null) return 0;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)]));
}

describeOnPostgresql('on a server', () => {
  it('the commands that move to a database and back', async () => {
    expect(withUrl.length).toBeGreaterThan(1);
    const url = new URL(await postgresql.freshPlace());
    const password = decodeURIComponent(url.password);
    url.password = '';
    const [there, back] = [freshFolder(), freshFolder()];
    makeStoreFile(join(there, 'notes.db'));
    makeStoreFile(join(there, 'tasks.db'), {
      sql: "UPDATE patches SET store_id = store_id || '2'; DELETE FROM snapshots",
    });
    for (const { line, env, args } of withUrl) {
      expect(Object.keys(env), line).toEqual(['PGPASSWORD']);
      const { exitCode, stderr } = await command(
        args.map((arg) => (isUrl(arg) ? url.href : arg)),
        { cwd: args.findIndex(isUrl) === 1 ? back : there, env: { PGPASSWORD: password } },
      );
      expect({ line, exitCode, stderr }).toEqual({ line, exitCode: 0, stderr: '' });
    }
    const [one, other] = [rowsOf(join(there, 'notes.db')), rowsOf(join(there, 'tasks.db'))];
    const moved = rowsOf(join(back, 'notes.db'));
    expect(moved.snapshots).toEqual(one.snapshots);
    expect(moved.patches).toHaveLength(one.patches.length + other.patches.length);
    expect(moved.patches).toEqual(expect.arrayContaining([...one.patches, ...other.patches]));
    expect(moved.blobs).toEqual(one.blobs.map((blob) => ({ ...blob, ref_count: 2 }))); // both files have them
  });
});

it('what the README shows', async () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const start = readme.indexOf(START) + START.length;
  const inReadme = readme.slice(start, readme.indexOf(END, start)).trim();
  // times, and sizes that depend on when the log was last taken in
  const form = (text: string) =>
    text
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
      .replace(/[\d.]+ m?s\b/g, 'SECONDS')
      .replace(/(none|\d[\d.]* [a-zA-Z]+B|\d+ bytes)/g, 'SIZE')
      .replace('; SIZE with its log', '');
  expect(form(inReadme)).toBe(form(await shown()));
});
