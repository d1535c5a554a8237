/** Every command of docs/operations.md runs, in the order of the page, and has the keys of its table; what the README shows of a run is what a run shows. */
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { END, START, shown } from '../../demo/operations.ts';
import { command, documentOf } from '../support/command-line.ts';
import { freshFolder } from '../support/files.ts';
import { makeStoreFile } from '../support/store-files.ts';

const root = join(import.meta.dirname, '../..');

it('the commands of the page', async () => {
  const page = readFileSync(join(root, 'docs/operations.md'), 'utf8');
  const lines = [...page.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(([, text = '']) => text.trim().split('\n'));
  expect(lines.length).toBeGreaterThan(8);
  const cwd = freshFolder();
  makeStoreFile(join(cwd, 'notes.db'));
  mkdirSync(join(cwd, 'data'));
  copyFileSync(join(cwd, 'notes.db'), join(cwd, 'data', 'one.db'));
  for (const line of lines) {
    const [npx, program, ...args] = line.split(' ');
    expect([npx, program]).toEqual(['npx', 'sds-persistence-worker']);
    const { exitCode, stderr } = await command(args, { cwd });
    expect({ line, exitCode, stderr }).toEqual({ line, exitCode: 0, stderr: '' });
  }
});

it('the keys that each command has in its document', async () => {
  const page = readFileSync(join(root, 'docs/operations.md'), 'utf8');
  const table = page.slice(page.indexOf('## One document for programs'));
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
    const [, told = ''] = new RegExp(`^\\| \`${name}\` +\\| \`([^\`]+)\``, 'm').exec(table) ?? [];
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

it('the links within the page lead somewhere', () => {
  const page = readFileSync(join(root, 'docs/operations.md'), 'utf8');
  const titles = [...page.matchAll(/^## (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
  for (const [, anchor] of page.matchAll(/\(#([\w-]+)\)/g)) expect(titles).toContain(anchor);
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
      .replace(/(none|\d[\d.]* [a-zA-Z]+B|\d+ bytes)/g, 'SIZE');
  expect(form(inReadme)).toBe(form(await shown()));
});
